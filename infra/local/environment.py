"""
The environment that keeps the local stack away from the real AWS.

Whatever the person's shell knows of AWS is dropped before anything of botocore is loaded:
credentials, profiles, configured endpoints, the metadata service, proxies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, MutableMapping

ACCESS_KEY = "local"
SECRET_KEY = "local"
DROPPED = ("AWS_", "JOBYARD_", "MOTO_", "BOTO_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy")


def isolate(environ: MutableMapping[str, str], region: str) -> None:
    """Leave `environ` with nothing of AWS but this machine's; the endpoint comes later."""
    for name in _dropped(environ):
        del environ[name]
    environ.update(
        {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Until the server is up, a stray call fails here and nowhere else.
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            # requests and botocore also ask the system for proxies, unless told
            "NO_PROXY": "*",
            "no_proxy": "*",
            "PYTHONTZPATH": "",
        }
    )


def _dropped(environ: Iterable[str]) -> list[str]:
    return [name for name in environ if name.startswith(DROPPED) or name.lower() in PROXIES]
