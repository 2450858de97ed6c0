"""infra/stack.yaml read as data, with the few CloudFormation functions that the tables use."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML built without libyaml, which reads ten times as fast
    from yaml import SafeLoader  # type: ignore[assignment]

STACK = Path(__file__).parents[1] / "stack.yaml"


class _Loader(SafeLoader):
    """YAML with CloudFormation's short tags: `!Sub x` is `{"Fn::Sub": x}`."""


def _short_tag(loader: SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


@lru_cache(maxsize=1)
def read() -> dict[str, Any]:
    """The whole template, parsed once."""
    loaded: dict[str, Any] = yaml.load(STACK.read_text(encoding="utf-8"), Loader=_Loader)
    return loaded


def resources(type_: str) -> dict[str, dict[str, Any]]:
    """Properties of every resource of that type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in read()["Resources"].items()
        if resource.get("Type") == type_
    }


def statuses_of_task_events() -> frozenset[str]:
    """`lastStatus` of the events about tasks that EventBridge sends to the function."""
    events = read()["Resources"]["TaskChanged"]["Properties"]["Events"]
    return frozenset(events["TaskChangedEvent"]["Properties"]["Pattern"]["detail"]["lastStatus"])


def resolve(value: Any, names: dict[str, str]) -> Any:
    """
    `value` with Ref and Fn::Sub replaced from `names`: parameters and pseudo parameters.

    KeyError for a name that is not among them, ValueError for another function: what the local
    stack creates has to be readable without a deployment.
    """
    if isinstance(value, list):
        return [resolve(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return names[value["Ref"]]
    if set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        return re.sub(r"\$\{([^}]+)\}", lambda match: names[match[1]], value["Fn::Sub"])
    if any(key.startswith("Fn::") for key in value):
        raise ValueError(f"not a function that the local stack understands: {value}")
    return {key: resolve(item, names) for key, item in value.items()}
