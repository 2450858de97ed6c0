"""One packaging for all tests of the deployment; the deployed test itself runs by `make e2e`."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from infra import package

collect_ignore = [] if os.environ.get("JOBYARD_E2E") == "1" else ["e2e"]


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> package.Package:
    """What `make package` makes."""
    return package.build(tmp_path_factory.mktemp("packaged"), package.LAMBDA)


@pytest.fixture(scope="session")
def template(packaged: package.Package) -> dict[str, Any]:
    """The packaged template, as CloudFormation gets it."""
    loaded: dict[str, Any] = json.loads(packaged.template.read_text())
    return loaded
