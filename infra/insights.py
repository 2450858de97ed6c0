"""What the choice of Container Insights gives and costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

CHOICES = {
    "enhanced": "metrics of every run and job; about 0.0024 for each run of up to an hour",
    "enabled": "metrics of jobs only; at most about 3.60 a month for each job and the cluster",
    "disabled": "no metrics: the API's answers are empty; costs nothing",
}
"""By ContainerInsights: what it gives and costs (docs/operating.md, "What it costs")."""


def notice(stage: str, given: Mapping[str, str], template: Path) -> str:
    """For who deploys a new stage with the parameters `given`."""
    declared = json.loads(template.read_text())["Parameters"]["ContainerInsights"]
    chosen = given.get("ContainerInsights", declared["Default"])
    choices = "\n".join(
        f"  {'*' if value == chosen else ' '} {value:9} {CHOICES[value]}"
        for value in declared["AllowedValues"]
    )
    change = f"make deploy STAGE={stage} PARAMETERS=ContainerInsights=..."
    return (
        f"a new stage: CPU and memory come from CloudWatch Container Insights, set to {chosen}\n"
        f"{choices}\n"
        f"    USD, list prices of us-east-1; docs/operating.md has the sums; change it with\n"
        f"    {change}"
    )
