"""Tokens are shown once, stored as a hash, checked with one read, and refused once revoked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import Unauthenticated
from chalicelib.settings import read_settings
from chalicelib.system import System
from chalicelib.usecases import access
from infra.local import provision
from tests.http.conftest import NOW, Clock, token

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

Calls = list[str]


@pytest.fixture
def calls(system: System) -> Iterator[Calls]:
    """The names of the AWS operations that are sent while the test runs."""
    sent: Calls = []

    def note(model: Any, **_: object) -> None:
        sent.append(model.name)

    events = system.database.client.meta.events
    events.register("before-call.*.*", note)
    yield sent
    events.unregister("before-call.*.*", note)


def header(text: str) -> str:
    return f"Bearer {text}"


def test_a_token_has_its_workspace_projects_and_role(system: System) -> None:
    """Workspace, projects and role come from the record, not from the token's text."""
    caller = system.tokens.authenticate(
        header(token(system, workspace="acme", role="run", projects=["b", "a"])), NOW
    )
    assert (caller.workspace_id, caller.projects, caller.role) == ("acme", frozenset("ab"), "run")
    assert system.tokens.authenticate(header(token(system)), NOW).projects is None


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("read", ["read"]), ("run", ["read", "run"]), ("write", ["read", "run", "write"])],
)
def test_a_role_includes_the_lesser_roles(system: System, role: str, allowed: list[str]) -> None:
    """
    `read` is less than `run`, `run` less than `write`, and only in the token's workspace and
    projects.
    """
    caller = system.tokens.authenticate(header(token(system, role=role, projects=["etl"])), NOW)
    for wanted in access.ROLES:
        assert caller.may("acme", "etl", wanted) == (wanted in allowed)
        assert not caller.may("acme", "other", wanted)
        assert not caller.may("other", "etl", wanted)
        assert not caller.may("acme2", "etl", wanted)
        assert not caller.may("", "", wanted)


def test_a_token_can_be_found_by_scanners_and_holds_256_random_bits(system: System) -> None:
    """Tokens have a fixed prefix and length, and no two are alike."""
    texts = {token(system) for _ in range(20)}
    assert len(texts) == 20
    assert all(re.fullmatch(r"jyd_[0-9a-f]{72}", text) for text in texts)


def test_the_table_holds_no_token(system: System) -> None:
    """Somebody who can read the table cannot act with what is stored there."""
    text = token(system)
    (stored,) = system.tokens.every()
    assert text[4:20] not in str(stored.serialize())
    assert stored.pk == access.digest_of(text)
    with pytest.raises(Unauthenticated):
        system.tokens.authenticate(header(stored.pk), NOW)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: None,
        lambda text: "",
        lambda text: text,
        lambda text: "Bearer",
        lambda text: "Bearer ",
        lambda text: f"Basic {text}",
        lambda text: f"Bearer {text} x",
        lambda text: f"Bearer {text}, Bearer {text}",
        lambda text: f"Bearer {text.upper()}",
        lambda text: f"Bearer {text[:-1]}",
        lambda text: f"Bearer {text}0",
        lambda text: f"Bearer jyd_{'0' * 72}",
        lambda text: f"Bearer {text[:10]}{'1' if text[10] == '0' else '0'}{text[11:]}",
        lambda text: "Bearer \ud800",
        lambda text: "Bearer " + "x" * 100_000,
    ],
)
def test_text_that_is_not_a_token_is_refused_without_an_aws_call(
    system: System, calls: Calls, spoil: Callable[[str], str | None]
) -> None:
    """The checksum in a token shows that it was cut, mistyped or made up."""
    text = token(system)
    calls.clear()
    with pytest.raises(Unauthenticated) as refused:
        system.tokens.authenticate(spoil(text), NOW)
    assert calls == []
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    assert text[4:20] not in refused.value.message


@given(st.text())
def test_every_malformed_authorization_header_gets_the_same_401(text: str) -> None:
    """No such header raises another exception, and none causes a read of the table."""
    system = System(read_settings(provision.settings(stage="test")), Clock())
    for sent in (text, f"Bearer {text}", f"Bearer jyd_{text}"):
        with pytest.raises(Unauthenticated):
            system.tokens.authenticate(sent, NOW)


def test_the_scheme_ignores_case(system: System) -> None:
    """RFC 9110 says that the scheme of an Authorization header ignores case."""
    text = token(system)
    for scheme in ("bearer", "BEARER", "Bearer  "):
        assert system.tokens.authenticate(f"{scheme} {text}", NOW).workspace_id == "acme"


def test_a_well_formed_token_that_is_not_stored_is_refused(system: System) -> None:
    """The check costs one read, and the cache does not remember the unknown token."""
    with pytest.raises(Unauthenticated):
        system.tokens.authenticate(header(access._new_text()), NOW)
    assert system.tokens._cache == {}


def test_checking_a_token_costs_one_read_and_none_within_30_seconds(
    system: System, calls: Calls
) -> None:
    """Only the first use on a day also writes: it stores the day."""
    text = token(system)
    calls.clear()
    system.tokens.authenticate(header(text), NOW)
    assert calls == ["GetItem", "UpdateItem"]
    calls.clear()
    system.tokens.authenticate(header(text), NOW + 29 * SECOND)
    assert calls == []
    system.tokens.authenticate(header(text), NOW + 30 * SECOND)
    assert calls == ["GetItem"]
    calls.clear()
    system.tokens.forget()
    system.tokens.authenticate(header(text), NOW + 60 * SECOND)
    assert calls == ["GetItem"]
    calls.clear()
    system.tokens.authenticate(header(text), NOW + DAY)
    assert calls == ["GetItem", "UpdateItem"]


def test_the_day_of_the_last_use_is_stored_once_a_day(system: System) -> None:
    """The day is enough to find tokens that nobody uses any more."""
    text = token(system)
    assert next(system.tokens.every()).last_used is None
    system.tokens.authenticate(header(text), NOW)
    system.tokens.authenticate(header(text), NOW + DAY)
    assert next(system.tokens.every()).last_used == "2026-11-24"


def test_a_revoked_token_stops_working_within_30_seconds(system: System) -> None:
    """Until then the cache may still accept it."""
    text = token(system)
    system.tokens.authenticate(header(text), NOW)
    system.tokens.revoke(next(system.tokens.every()), NOW)
    system.tokens.authenticate(header(text), NOW + 29 * SECOND)
    with pytest.raises(Unauthenticated):
        system.tokens.authenticate(header(text), NOW + 30 * SECOND)
    with pytest.raises(Unauthenticated):
        system.tokens.authenticate(header(text), NOW + 31 * SECOND)


def test_recording_a_use_does_not_restore_a_revoked_token(system: System) -> None:
    """
    The token is revoked between the read and the write: the write fails because the item is gone.
    """
    token(system)
    (stored,) = system.tokens.every()
    system.tokens.revoke(stored, NOW)
    assert not system.tokens_table.touch(stored, "2026-11-23")
    assert list(system.tokens.every()) == []


def test_a_token_stops_working_at_its_expiry_even_if_cached(system: System) -> None:
    """
    Expiry is checked even if DynamoDB's TTL has not removed the item, which stays listed for 30
    days.
    """
    text = token(system, life=20 * SECOND)
    system.tokens.authenticate(header(text), NOW + 19 * SECOND)
    with pytest.raises(Unauthenticated):
        system.tokens.authenticate(header(text), NOW + 20 * SECOND)
    system.tokens.forget()
    with pytest.raises(Unauthenticated):
        system.tokens.authenticate(header(text), NOW + 20 * SECOND)
    (stored,) = system.tokens.every()
    assert stored.expires == NOW + 20 * SECOND + 30 * DAY


def test_the_cache_does_not_grow_without_end(system: System) -> None:
    """A function lives for hours and may see many tokens."""
    tokens = access.Tokens(system.tokens_table, cache_size=3)
    texts = [token(system) for _ in range(5)]
    for text in texts:
        tokens.authenticate(header(text), NOW)
    assert len(tokens._cache) <= 3
    assert tokens.authenticate(header(texts[0]), NOW).workspace_id == "acme"
