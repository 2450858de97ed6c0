"""
moto's ECS, imported without moto's EC2.

`moto.ecs` imports `moto.ec2` for container instances and services with load balancers. That alone
takes more CPU time than all other imports of the local stack together: moto.ec2 reads every
region's zones and every instance type. Here it is imported when something of it is first used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

EC2 = "moto.ec2"


class _LateBackends:
    """In place of `moto.ec2.ec2_backends`."""

    def __getitem__(self, account: str) -> Any:
        return importlib.import_module("moto.ec2.models").ec2_backends[account]


def _import_ecs() -> None:
    """Give `moto.ecs.models` a package `moto.ec2` that has those backends only, while it loads."""
    if EC2 in sys.modules:
        return
    spec = importlib.util.find_spec(EC2)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = ModuleType(EC2)
    package.__path__ = list(spec.submodule_search_locations)
    package.ec2_backends = _LateBackends()  # type: ignore[attr-defined]
    sys.modules[EC2] = package
    try:
        importlib.import_module("moto.ecs.models")
    finally:
        del sys.modules[EC2]


_import_ecs()

from moto.ecs.exceptions import TaskDefinitionNotFoundException  # noqa: E402 - see above
from moto.ecs.models import EC2ContainerServiceBackend  # noqa: E402
from moto.ecs.responses import EC2ContainerServiceResponse  # noqa: E402

__all__ = [
    "EC2ContainerServiceBackend",
    "EC2ContainerServiceResponse",
    "TaskDefinitionNotFoundException",
]
