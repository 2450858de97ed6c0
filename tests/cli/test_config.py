"""Where the command takes its settings from, and how `jobyard login` stores them."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from jobyard import config
from jobyard.config import Settings
from jobyard.errors import SettingsError
from tests.cli.local_stack import COMMAND, Shell
from tests.cli.test_run import read_until

NOTHING: dict[str, str | None] = dict.fromkeys(config.NAMES)
STORED = Settings("https://stored", "jyd_s", "w", "p")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tester's own settings are not used."""
    for variable in (*config.VARIABLES.values(), "JOBYARD_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("JOBYARD_CONFIG", str(tmp_path / "folder/config.toml"))


def test_a_flag_overrides_a_variable_and_a_variable_overrides_the_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This holds for each setting separately."""
    config.store("default", STORED)
    monkeypatch.setenv("JOBYARD_PROJECT", "from-variable")
    monkeypatch.setenv("JOBYARD_WORKSPACE", "from-variable")
    found = config.resolve({**NOTHING, "project": "from-flag"}, None)
    assert found == Settings("https://stored", "jyd_s", "from-variable", "from-flag")


def test_a_profile_is_chosen_by_flag_or_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for an unknown profile lists the profiles that exist."""
    config.store("default", STORED)
    config.store("prod", Settings("https://prod", "jyd_p", "w", "p"))
    monkeypatch.setenv("JOBYARD_PROFILE", "prod")
    assert config.resolve(NOTHING, None).url == "https://prod"
    assert config.resolve(NOTHING, "default").url == "https://stored"
    with pytest.raises(SettingsError, match="default, prod"):
        config.resolve(NOTHING, "none")


def test_every_missing_setting_is_named() -> None:
    """The error names both ways to set them."""
    with pytest.raises(SettingsError, match="not set: url, token, workspace") as caught:
        config.resolve({**NOTHING, "project": "p"}, None)
    assert "jobyard login" in str(caught.value)
    assert "JOBYARD_URL, JOBYARD_TOKEN, JOBYARD_WORKSPACE" in str(caught.value)


def test_the_config_file_has_mode_0600_and_keeps_other_profiles() -> None:
    """The file contains tokens."""
    file = config.store("default", STORED)
    file.chmod(0o644)
    odd = Settings('https://x/"\\', "jyd_ü", "w", "p")
    config.store("odd name", odd)
    assert file.stat().st_mode & 0o777 == 0o600
    assert config.resolve(NOTHING, None) == STORED
    assert config.resolve(NOTHING, "odd name") == odd


@pytest.mark.parametrize("text", ["[default\n", "url = 'x'\n", "\x00"])
def test_a_damaged_config_file_is_reported_as_damaged(text: str) -> None:
    """The message has the path of the file."""
    config.store("default", STORED).write_text(text)
    with pytest.raises(SettingsError, match=r"config\.toml"):
        config.resolve(NOTHING, None)


def test_a_command_without_settings_exits_with_2(tmp_path: Path) -> None:
    """The message says what to do."""
    done = Shell(tmp_path, {})("jobs", status=2)
    assert "jobyard login" in done.stderr


def test_login_asks_hides_the_token_checks_it_and_stores_a_profile(
    shell: Shell, tmp_path: Path
) -> None:
    """Afterwards the commands work without any variable."""
    new = Shell(tmp_path, {}, {"JOBYARD_CONFIG": str(tmp_path / "config.toml"), "TERM": "dumb"})
    token = shell.settings["JOBYARD_TOKEN"]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "login"], env=new.environment, stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen = ""
    for question, answer in (
        ("URL of the API", shell.settings["JOBYARD_URL"]),
        ("Workspace", "local"),
        ("Project", shell.settings["JOBYARD_PROJECT"]),
        ("Token", token),
    ):
        seen += read_until(master, f"{question}")
        os.write(master, f"{answer}\n".encode())
    seen += read_until(master, "Logged in")
    assert process.wait(60) == 0
    os.close(master)
    assert token not in seen
    assert (tmp_path / "config.toml").stat().st_mode & 0o077 == 0
    assert new("jobs").returncode == 0


def test_login_stores_no_profile_that_the_api_refuses(shell: Shell, tmp_path: Path) -> None:
    """This holds for a wrong token, another workspace, and a wrong URL."""
    file = tmp_path / "config.toml"
    new = Shell(tmp_path, {}, {"JOBYARD_CONFIG": str(file)})
    url, token = shell.settings["JOBYARD_URL"], shell.settings["JOBYARD_TOKEN"]
    for where, workspace, said, given in (
        (url, "local", "token", "jyd_wrong"),
        (url, "others", "may not do that here", token),
        ("example.com", "local", "is no URL", token),
        ("http://127.0.0.1:9", "local", "does not answer", token),
    ):
        flags = ("--url", where, "--workspace", workspace, "--project", "p")
        done = new(*flags, "login", input=f"{given}\n", status=None)
        assert done.returncode in (1, 2)
        assert said in done.stderr
    assert not file.exists()


def test_login_takes_the_token_from_stdin_where_there_is_no_terminal(
    shell: Shell, tmp_path: Path
) -> None:
    """A build logs in so; the error names what else is missing."""
    new = Shell(tmp_path, {}, {"JOBYARD_CONFIG": str(tmp_path / "config.toml")})
    flags = ("--url", shell.settings["JOBYARD_URL"], "--workspace", "local")
    token = shell.settings["JOBYARD_TOKEN"]
    assert "--project" in new(*flags, "login", input=f"{token}\n", status=2).stderr
    new(*flags, "--project", "p", "login", "--as", "ci", input=f"{token}\n")
    assert new("--profile", "ci", "jobs").returncode == 0
