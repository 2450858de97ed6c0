"""The answer to a query of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.http import views
from chalicelib.http.answer import Answer, multi, ok

if TYPE_CHECKING:
    from chalicelib.usecases.metrics import MetricsResult


def metrics(result: MetricsResult) -> Answer:
    """207 where a metric failed, which then says so itself."""
    data = views.metrics(result)
    if result.is_complete:
        return ok("All metrics.", data)
    return multi("Some metrics failed; each says why.", data)
