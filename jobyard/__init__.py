"""
Jobyard's Python client and its command line; both speak HTTP to the API and nothing else.

    from jobyard import Client

    client = Client("https://…", "jyd_…", workspace="acme", project="etl")
    run = client.trigger(client.find_job("nightly")["id"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobyard.client import Client

__all__ = ["Client", "__version__"]

__version__: str
"""The installed package's version; the number is in chalicelib/__init__.py, which the wheel
lacks."""


def __getattr__(name: str) -> Any:
    # the HTTP library takes longer to import than everything that `jobyard --help` needs
    if name == "Client":
        from jobyard.client import Client

        return Client
    if name == "__version__":
        from importlib.metadata import version

        return version("jobyard")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
