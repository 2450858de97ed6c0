"""`make token`, `make tokens` and `make revoke-token`, with which an operator manages tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.errors import Unauthenticated
from chalicelib.system import System
from chalicelib.usecases import access
from infra.tokens import main

ACME = ["--stage", "test", "create", "--workspace", "acme", "--role"]


@pytest.fixture(autouse=True)
def _shell(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a shell that reaches AWS, which is moto here."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_created_token_works(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """A script finds only the token on standard output; the description goes to standard error."""
    code, out, err = run(
        capsys, *ACME, "write", "--projects", "etl,web", "--expires", "90d", "--name", "ci"
    )
    assert code == 0
    caller = system.tokens.authenticate(f"Bearer {out.strip()}", datetime.now(UTC))
    assert (caller.workspace_id, caller.projects) == ("acme", frozenset({"etl", "web"}))
    assert out.count("\n") == 1
    assert ":table/jobyard-test-tokens" in err
    assert out.strip() not in err
    (stored,) = system.tokens.every()
    assert stored.expires_at is not None
    assert abs(stored.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)


def test_the_list_of_tokens_does_not_contain_their_text(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows workspace, role, expiry and last use, of one workspace if it is named."""
    _, first, _ = run(capsys, *ACME, "read", "--name", "dashboard")
    _, second, _ = run(capsys, "--stage", "test", "create", "--workspace", "zeta", "--role", "run")
    system.tokens.authenticate(f"Bearer {first.strip()}", datetime.now(UTC))
    _, everything, _ = run(capsys, "--stage", "test", "list")
    head, *rows = everything.splitlines()
    assert head.split()[:4] == ["ID", "WORKSPACE", "PROJECTS", "ROLE"]
    assert [row.split()[1:4] for row in rows] == [["acme", "all", "read"], ["zeta", "all", "run"]]
    assert rows[0].endswith("dashboard")
    assert f"{datetime.now(UTC):%Y-}" in rows[0].split()[6] and rows[1].split()[6] == "never"
    _, of_zeta, _ = run(capsys, "--stage", "test", "list", "--workspace", "zeta")
    assert of_zeta.splitlines() == [head, rows[1]]
    assert first.strip() not in everything and second.strip() not in everything


@pytest.mark.parametrize("by_its_text", [True, False])
def test_a_token_is_revoked_by_its_id_or_its_text(
    system: System, capsys: pytest.CaptureFixture[str], by_its_text: bool
) -> None:
    """Other tokens still work."""
    _, kept, _ = run(capsys, *ACME, "read")
    _, text, _ = run(capsys, *ACME, "write")
    given = text.strip() if by_its_text else access.digest_of(text.strip())[:12]
    code, out, _ = run(capsys, "--stage", "test", "revoke", given)
    assert code == 0 and "revoked" in out and text.strip() not in out
    with pytest.raises(Unauthenticated):
        system.tokens.authenticate(f"Bearer {text.strip()}", datetime.now(UTC))
    assert system.tokens.authenticate(f"Bearer {kept.strip()}", datetime.now(UTC)).role == "read"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--stage", "test", "create", "--workspace", "a/b", "--role", "read"], "'a/b' must be"),
        (["--stage", "test", "create", "--workspace", "", "--role", "read"], "'' must be"),
        ([*ACME, "read", "--projects", ","], "'' must be"),
        ([*ACME, "read", "--projects", "a,b c"], "'b c' must be"),
        ([*ACME, "read", "--name", "a\nb"], "printable"),
        ([*ACME, "read", "--name", "\u3164"], "visible"),
        ([*ACME, "read", "--name", "x" * 129], "128"),
        (["--stage", "test", "revoke", ""], "ID must be"),
        (["--stage", "test", "revoke", "0123456"], "ID must be"),
        (["--stage", "test", "revoke", "0123456789ab"], "0 tokens"),
        (["--stage", "gone", "list"], "is gone deployed?"),
        (["--stage", "local", "list"], "local stack is reached with"),
        (["list"], "jobyard-dev-tokens"),
    ],
)
def test_an_impossible_request_is_refused_in_one_line(
    system: System, capsys: pytest.CaptureFixture[str], argv: list[str], why: str
) -> None:
    """Nothing is stored; an empty list of projects does not mean all projects."""
    code, out, err = run(capsys, *argv)
    assert (code, out) == (1, "")
    assert why in err.splitlines()[-1]
    assert list(system.tokens.every()) == []


@pytest.mark.parametrize("argv", [["x"], [*ACME, "admin"], [*ACME, "read", "--expires", "soon"]])
def test_a_wrong_argument_is_explained(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    """The command prints its usage and exits with 2, as shell commands do."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_shell_of_the_local_stack_cannot_reach_another_stage(
    system: System, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the command would make or list production tokens in the local stack."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    code, _, err = run(capsys, "--stage", "prod", "list")
    assert code == 1 and "unset it for prod" in err
