"""Jobyard as it runs on Lambda, whose archive has no pyproject.toml: so the version is here too."""

__version__ = "0.1.0"
