"""botocore's data files, read once for all sessions of a process."""

from __future__ import annotations

from functools import lru_cache

import botocore.loaders
import botocore.session
import moto.core.loaders
import moto.core.utils


def share() -> None:
    """
    Give all sessions that are made from now on one loader; harmless twice.

    Each session has its own, which reads endpoints and services of AWS (megabytes of JSON) again,
    and moto makes one for each service, which lists all services first. The local stack has several
    sessions: the product's two, its own, and those that moto makes.
    """
    botocore.session.create_loader = lru_cache(botocore.loaders.create_loader)
    cached = lru_cache(moto.core.loaders.create_loader)
    moto.core.utils.create_loader = cached  # type: ignore[attr-defined]  # imported there, for its own use
