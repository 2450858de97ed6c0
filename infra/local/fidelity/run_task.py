"""What ECS demands of a RunTask request, checked as ECS checks it (limits: API reference)."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core.exceptions import ServiceException

OVERRIDES_LIMIT = 8192
TAGS_LIMIT = 50
COUNT_LIMIT = 10
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


class EcsError(ServiceException):
    """An error that ECS answers: `EcsError("ThrottlingException", "Rate exceeded")`."""


def invalid(message: str) -> EcsError:
    return EcsError("InvalidParameterException", message)


def check_request(params: dict[str, Any]) -> None:
    """Raise what ECS answers to a request that is wrong in itself."""
    if not re.fullmatch(r"[\x21-\x7e]{0,64}", params.get("clientToken", "")):
        raise invalid("clientToken must be at most 64 characters in the range of 33-126.")
    if not re.fullmatch(r"[A-Za-z0-9/_-]{0,128}", params.get("startedBy", "")):
        raise invalid("startedBy must be up to 128 letters, numbers, '-', '/' and '_'.")
    overrides = json.dumps(params.get("overrides", {}), separators=(",", ":"), ensure_ascii=False)
    if len(overrides) > OVERRIDES_LIMIT:
        raise invalid(f"Container Overrides length must be at most {OVERRIDES_LIMIT}")
    if not 1 <= params.get("count", 1) <= COUNT_LIMIT:
        raise invalid(f"count must be between 1 and {COUNT_LIMIT}.")
    if params.get("launchType") and params.get("capacityProviderStrategy"):
        raise invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    if params.get("propagateTags") == "SERVICE":
        raise invalid("The SERVICE option of propagateTags is for services only.")
    check_tags(params.get("tags", []))


def tags_of_task(definition: Any, params: dict[str, Any]) -> list[dict[str, str]]:
    """
    A task's tags: the request's, and those of its definition where they are propagated.

    Whose value a key gets that both have is not documented ("RunTask", `tags` and
    `propagateTags`; "Tagging your Amazon ECS resources"): refused here, so that nothing relies
    on it.
    """
    tags = list(params.get("tags", []))
    if params.get("propagateTags") == "TASK_DEFINITION":
        tags += definition.tags
    check_tags(tags)
    return tags


def check_tags(tags: list[dict[str, str]]) -> None:
    if len(tags) > TAGS_LIMIT:
        raise invalid(f"Too many tags: at most {TAGS_LIMIT}.")
    keys = [tag.get("key", "") for tag in tags]
    if len(set(keys)) < len(keys):
        raise invalid("Duplicate tag keys found. Please note that tag keys are case insensitive.")
    for tag in tags:
        key, value = tag.get("key", ""), tag.get("value", "")
        if not re.fullmatch(r"[\w\s.:/=+@-]{1,128}", key) or key.lower().startswith("aws:"):
            raise invalid(f"Invalid tag key: {key}")
        if not re.fullmatch(r"[\w\s.:/=+@-]{0,256}", value):
            raise invalid(f"Invalid tag value: {value}")


def capacity_provider(params: dict[str, Any], cluster: Any) -> str | None:
    """
    The provider that the request's strategy chooses; None where it has no strategy.

    Raises what ECS answers to a provider that does not exist, and to one that the cluster lacks.
    Not all is documented of a strategy of several providers or of no weight: refused here, so
    that nothing relies on it.
    """
    strategy = params.get("capacityProviderStrategy") or []
    for item in strategy:
        if item["capacityProvider"] not in FARGATE_PROVIDERS:
            raise invalid(
                "The specified capacity provider was not found. Specify a valid capacity provider "
                "and try again."
            )
        if item["capacityProvider"] not in (cluster.capacity_providers or []):
            raise invalid(
                "The specified capacity provider strategy cannot contain a capacity provider that "
                "is not associated with the cluster. Associate the capacity provider with the "
                "cluster or specify a valid capacity provider and try again."
            )
    if not strategy:
        return None
    if len(strategy) > 1 or not strategy[0].get("weight"):
        raise invalid("Here a strategy has one capacity provider, of a weight greater than zero.")
    return str(strategy[0]["capacityProvider"])


def check_against(definition: Any, params: dict[str, Any]) -> None:
    """Raise what ECS answers where the request does not fit its task definition."""
    if definition.status != "ACTIVE":
        raise EcsError("ClientException", "TaskDefinition is inactive")
    awsvpc = params.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    if definition.network_mode == "awsvpc" and not awsvpc.get("subnets"):
        raise invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if params.get("launchType") == "FARGATE" and "FARGATE" not in definition.compatibilities:
        raise invalid("Task definition does not support launch_type FARGATE.")
    names = {container["name"] for container in definition.container_definitions}
    for override in params.get("overrides", {}).get("containerOverrides", []):
        if override.get("name") not in names:
            raise invalid(
                f"Override for container named {override.get('name')} is not a container "
                "in the TaskDefinition."
            )
