"""
Lambda SnapStart for the API's function, where the stage's parameter SnapStart says so.

SnapStart works for published versions alone, so the API's function then has a version, an alias
that points at it, and API Gateway calls the alias. A version keeps the code and the environment
that it was published with. So its description holds a digest of the template, which names the
archive, and of all parameters: CloudFormation replaces a version whose description changes
(AWS::Lambda::Version, `Description`), and one that nothing changed stays.

This is done to the packaged template and not by conditions in it. API Gateway serves a deployment
of the API, and SAM makes another one only when the text of the API's definition changes; a
condition that turns out otherwise does not change the text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FUNCTION = "APIHandler"
PERMISSION = "APIHandlerInvokePermission"
VERSION, ALIAS = "ApiVersion", "ApiAlias"
ALIAS_NAME = "snapshot"


def add_if_on(packaged: Path, parameters: Mapping[str, str]) -> None:
    """
    Change the packaged template if the stage has SnapStart.

    `parameters`: those of the stage's stack, and those that are given now.
    """
    template = json.loads(packaged.read_text())
    default = template["Parameters"]["SnapStart"]["Default"]
    if parameters.get("SnapStart", default) == "on":
        packaged.write_text(json.dumps(add(template, parameters), indent=1, sort_keys=True) + "\n")


def add(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """The template with the version, its alias, and the API and its permission on the alias."""
    changed: dict[str, Any] = json.loads(
        json.dumps(template).replace(
            f"${{{FUNCTION}.Arn}}/invocations", f"${{{ALIAS}}}/invocations"
        )
    )
    published = {
        "Type": "AWS::Lambda::Version",
        "Properties": {
            "FunctionName": {"Ref": FUNCTION},
            "Description": f"snapshot {_digest(template, parameters)}",
        },
    }
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "Name": ALIAS_NAME,
            "FunctionName": {"Ref": FUNCTION},
            "FunctionVersion": {"Fn::GetAtt": [VERSION, "Version"]},
        },
    }
    changed["Resources"] |= {VERSION: published, ALIAS: alias}
    changed["Resources"][FUNCTION]["Properties"]["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    changed["Resources"][PERMISSION]["Properties"]["FunctionName"] = {"Ref": ALIAS}
    return changed


def _digest(template: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    text = json.dumps([template, dict(parameters)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
