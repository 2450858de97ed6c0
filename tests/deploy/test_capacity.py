"""The packaged cluster has what jobs on Spot need, and launches of other jobs stay as they are."""

from __future__ import annotations

from typing import Any

from infra.local import template as stack


def test_the_cluster_has_both_providers_and_no_default_strategy(template: dict[str, Any]) -> None:
    """A default strategy would decide for a RunTask that names neither launch type nor provider."""
    (cluster,) = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ECS::Cluster"
    )
    assert cluster["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert "DefaultCapacityProviderStrategy" not in cluster
    assert not stack.resources("AWS::ECS::ClusterCapacityProviderAssociations")
