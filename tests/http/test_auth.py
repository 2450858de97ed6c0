"""Tokens: made once, stored as a hash, checked with one read, and gone when revoked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import auth
from chalicelib.errors import Unauthenticated
from chalicelib.tables import db, tokens
from tests.http.conftest import NOW, token

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

Calls = list[str]


@pytest.fixture
def calls(tables: None) -> Iterator[Calls]:
    """The AWS operations that are sent, by name, from here on."""
    sent: Calls = []

    def note(model: Any, **_: object) -> None:
        sent.append(model.name)

    events = db.connect().client.meta.events
    events.register("before-call.*.*", note)
    yield sent
    events.unregister("before-call.*.*", note)


def header(text: str) -> str:
    return f"Bearer {text}"


def test_a_token_tells_whose_it_is_and_what_it_allows(tables: None) -> None:
    """Workspace, projects and role come from the record, not from the token's text."""
    caller = auth.authenticate(
        header(token(workspace="acme", role="run", projects=["b", "a"])), NOW
    )
    assert (caller.workspace_id, caller.projects, caller.role) == ("acme", frozenset("ab"), "run")
    assert auth.authenticate(header(token()), NOW).projects is None


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("read", ["read"]), ("run", ["read", "run"]), ("write", ["read", "run", "write"])],
)
def test_a_role_includes_those_before_it(tables: None, role: str, allowed: list[str]) -> None:
    """read < run < write, only in its workspace and projects."""
    caller = auth.authenticate(header(token(role=role, projects=["etl"])), NOW)
    for wanted in auth.ROLES:
        assert caller.may("acme", "etl", wanted) == (wanted in allowed)
        assert not caller.may("acme", "other", wanted)
        assert not caller.may("other", "etl", wanted)
        assert not caller.may("acme2", "etl", wanted)
        assert not caller.may("", "", wanted)


def test_a_token_can_be_found_by_scanners_and_holds_256_random_bits(tables: None) -> None:
    """A fixed prefix and length; no two alike."""
    texts = {token() for _ in range(20)}
    assert len(texts) == 20
    assert all(re.fullmatch(r"jyd_[0-9a-f]{72}", text) for text in texts)


def test_the_table_holds_no_token(tables: None) -> None:
    """Whoever reads it cannot act as anybody."""
    text = token()
    (stored,) = tokens.every()
    assert text[4:20] not in str(stored.serialize())
    assert stored.pk == auth.digest_of(text)
    with pytest.raises(Unauthenticated):
        auth.authenticate(header(stored.pk), NOW)


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
def test_what_is_no_token_is_refused_without_a_call(
    calls: Calls, spoil: Callable[[str], str | None]
) -> None:
    """Missing, cut, mistyped or made up: a checksum tells, the database is not asked."""
    text = token()
    calls.clear()
    with pytest.raises(Unauthenticated) as refused:
        auth.authenticate(spoil(text), NOW)
    assert calls == []
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    assert text[4:20] not in refused.value.message


@given(st.text())
def test_any_header_is_refused_in_the_same_way(text: str) -> None:
    """Never another exception."""
    for sent in (text, f"Bearer {text}", f"Bearer jyd_{text}"):
        with pytest.raises(Unauthenticated):
            auth.authenticate(sent, NOW)


def test_the_scheme_ignores_case(tables: None) -> None:
    """As RFC 9110 has it."""
    text = token()
    for scheme in ("bearer", "BEARER", "Bearer  "):
        assert auth.authenticate(f"{scheme} {text}", NOW).workspace_id == "acme"


def test_a_well_formed_token_that_is_not_stored_is_refused(tables: None) -> None:
    """With one read, and nothing is kept of it."""
    with pytest.raises(Unauthenticated):
        auth.authenticate(header(auth._new_text()), NOW)
    assert auth._cache == {}


def test_checking_a_token_costs_one_read_and_none_within_30_seconds(calls: Calls) -> None:
    """The first use of a day is noted with one write; no other request writes."""
    text = token()
    calls.clear()
    auth.authenticate(header(text), NOW)
    assert calls == ["GetItem", "UpdateItem"]
    calls.clear()
    auth.authenticate(header(text), NOW + 29 * SECOND)
    assert calls == []
    auth.authenticate(header(text), NOW + 30 * SECOND)
    assert calls == ["GetItem"]
    calls.clear()
    auth.forget()
    auth.authenticate(header(text), NOW + 60 * SECOND)
    assert calls == ["GetItem"]
    calls.clear()
    auth.authenticate(header(text), NOW + DAY)
    assert calls == ["GetItem", "UpdateItem"]


def test_the_last_use_is_kept_by_day(tables: None) -> None:
    """Enough to find tokens that nobody needs any more."""
    text = token()
    assert next(tokens.every()).last_used is None
    auth.authenticate(header(text), NOW)
    auth.authenticate(header(text), NOW + DAY)
    assert next(tokens.every()).last_used == "2026-11-24"


def test_a_revoked_token_stops_working_within_30_seconds(tables: None) -> None:
    """The cache is the only thing that still knows it."""
    text = token()
    auth.authenticate(header(text), NOW)
    tokens.delete(next(tokens.every()))
    auth.authenticate(header(text), NOW + 29 * SECOND)
    with pytest.raises(Unauthenticated):
        auth.authenticate(header(text), NOW + 30 * SECOND)
    with pytest.raises(Unauthenticated):
        auth.authenticate(header(text), NOW + 31 * SECOND)


def test_noting_a_use_cannot_bring_back_a_revoked_token(tables: None) -> None:
    """Revoked between the read and the write: the write expects it to be there."""
    token()
    (stored,) = tokens.every()
    tokens.delete(stored)
    assert not tokens.touch(stored, "2026-11-23")
    assert list(tokens.every()) == []


def test_an_expired_token_stops_working_at_its_moment_cached_or_not(tables: None) -> None:
    """Whether or not TTL has removed it; it is listed for a while yet."""
    text = token(life=20 * SECOND)
    auth.authenticate(header(text), NOW + 19 * SECOND)
    with pytest.raises(Unauthenticated):
        auth.authenticate(header(text), NOW + 20 * SECOND)
    auth.forget()
    with pytest.raises(Unauthenticated):
        auth.authenticate(header(text), NOW + 20 * SECOND)
    (stored,) = tokens.every()
    assert stored.expires == int((NOW + 20 * SECOND + 30 * DAY).timestamp())


def test_the_cache_does_not_grow_without_end(tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function lives for hours and may see many tokens."""
    monkeypatch.setattr(auth, "_CACHE_SIZE", 3)
    texts = [token() for _ in range(5)]
    for text in texts:
        auth.authenticate(header(text), NOW)
    assert len(auth._cache) <= 3
    assert auth.authenticate(header(texts[0]), NOW).workspace_id == "acme"
