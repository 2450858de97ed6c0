"""
The API's URL, token, workspace and project: from flags, then the environment, then a profile of the
config file.

The file holds tokens, so only its owner may read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobyard.errors import SettingsError

NAMES = ("url", "token", "workspace", "project")
DEFAULT = "default"
VARIABLES = {name: f"JOBYARD_{name.upper()}" for name in NAMES}


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a client needs."""

    url: str
    token: str
    workspace: str
    project: str


def path() -> Path:
    """The config file: `JOBYARD_CONFIG`, else in the platform's folder for configuration."""
    if named := os.environ.get("JOBYARD_CONFIG"):
        return Path(named)
    import platformdirs  # at first use: `jobyard --help` reads no settings

    return Path(platformdirs.user_config_dir("jobyard", appauthor=False)) / "config.toml"


def profiles() -> dict[str, dict[str, str]]:
    """What the config file holds, by the name of the profile; SettingsError if it is damaged."""
    import tomllib

    file = path()
    try:
        read: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    found: dict[str, dict[str, str]] = {}
    for name, profile in read.items():
        if not isinstance(profile, dict):
            raise SettingsError(f"{file}: {name} must be a table such as [default]")
        found[name] = {key: str(value) for key, value in profile.items()}
    return found


def resolve(flags: Mapping[str, str | None], profile: str | None) -> Settings:
    """
    A setting comes from its flag, else from its variable, else from the profile.

    SettingsError names every setting that none of them has, and what to do.
    """
    stored = _profile(profile)
    values = {
        name: flags.get(name) or os.environ.get(VARIABLES[name]) or stored.get(name)
        for name in NAMES
    }
    missing = [name for name in NAMES if not values[name]]
    if missing:
        variables = ", ".join(VARIABLES[name] for name in missing)
        raise SettingsError(
            f"not set: {', '.join(missing)}. Run `jobyard login`, or set {variables}"
        )
    return Settings(**{name: str(value) for name, value in values.items()})


def _profile(named: str | None) -> dict[str, str]:
    name = named or os.environ.get("JOBYARD_PROFILE")
    known = profiles()
    if name is None:
        return known.get(DEFAULT, {})
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise SettingsError(f"there is no profile {name!r} in {path()}; it has: {there}")
    return known[name]


def store(profile: str, settings: Settings) -> Path:
    """Write a profile, leaving the others as they are; the file is its owner's alone (0600)."""
    every = profiles()
    every[profile] = {name: getattr(settings, name) for name in NAMES}
    text = "\n".join(
        f"[{_quoted(name)}]\n"
        + "".join(f"{key} = {_quoted(value)}\n" for key, value in one.items())
        for name, one in sorted(every.items())
    )
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    new.replace(file)
    return file


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are JSON's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
