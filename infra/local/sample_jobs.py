"""The jobs of `make up DEMO=1`: what they are, and how their runs went in the last month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IMAGE = "public.ecr.aws/docker/library/busybox:1.36"

WORKED = "worked"
SKIPPED = "skipped_overlap"
MISSED = "missed_deadline"
CANCELLED = ("cancelled_by_user", "replaced")


@dataclass(frozen=True)
class SampleJob:
    """A job, and the outcomes of its runs."""

    spec: dict[str, Any]
    seconds: float
    """How long a run takes, give or take a tenth."""
    lines: tuple[str, ...]
    """What a run writes; a run that fails ends with `last_words`."""
    days: float = 30
    """How long ago it was created."""
    manual: int = 0
    """Runs by hand, spread over these days."""
    slower: float = 1
    """How much longer the newest run takes than the first."""
    outcomes: Mapping[int, str] = field(default_factory=dict)
    """By how many runs ago, the newest being 0; all others worked."""
    retried: frozenset[int] = frozenset()
    """Runs ago whose first attempt failed and whose second one worked."""
    last_words: str = "error: giving up"


def _job(name: str, script: str, schedule: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "schedule": schedule,
        **more,
    }


JOBS = (
    SampleJob(
        _job(
            "nightly-export",
            "for table in customers orders invoices events; do echo copied $table; sleep 5; done",
            "0 3 * * *",
            timezone="Europe/Berlin",
            tags=["team=data", "nightly"],
            timeout_seconds=1800,
            memory_mib=1024,
        ),
        480,
        ("copying 41 tables", "copied customers", "copied orders", "copied events", "done"),
        slower=2.9,
        outcomes={4: "timed_out"},
    ),
    SampleJob(
        _job(
            "invoices",
            "echo reading orders; sleep 3; echo 'connection to billing-db refused' >&2; exit 2",
            "30 6 * * 1-5",
            tags=["team=billing"],
        ),
        95,
        ("reading orders of yesterday", "412 orders", "writing invoices", "sent to the printer"),
        outcomes={0: "nonzero_exit", 1: "nonzero_exit", 2: "nonzero_exit"},
        last_words="\x1b[31merror:\x1b[0m connection to billing-db:5432 refused",
    ),
    SampleJob(
        _job(
            "sync-orders",
            "echo asking the shop; sleep 4; echo 37 orders",
            "0 * * * *",
            tags=["team=shop"],
            max_retries=1,
        ),
        42,
        ("asking the shop for orders", "37 new orders", "all of them stored"),
        days=10,
        outcomes={60: "nonzero_exit", 61: "nonzero_exit", 130: "infrastructure", 190: "lost"},
        retried=frozenset({7, 33, 120}),
        last_words="HTTPError: 502 Bad Gateway from shop.example",
    ),
    SampleJob(
        _job(
            "poll-partners",
            "for partner in north south west; do echo $partner: nothing new; sleep 2; done",
            "*/30 * * * *",
            concurrency_policy="forbid",
            tags=["team=shop", "partners"],
        ),
        75,
        ("north: nothing new", "south: 3 files", "west: nothing new"),
        days=3,
        outcomes={14: SKIPPED, 15: SKIPPED, 60: SKIPPED, 80: MISSED, 81: MISSED, 82: MISSED},
    ),
    SampleJob(
        _job(
            "weekly-report",
            "echo loading a year; sleep 8; echo report written",
            "0 7 * * 1",
            tags=["team=data"],
            cpu=1,
            memory_mib=2048,
        ),
        1260,
        ("loading a year of orders", "grouping by region", "report written"),
        outcomes={0: "out_of_memory"},
        last_words="loading into memory: 1.9 GiB",
    ),
    SampleJob(
        _job(
            "backup-database",
            "echo dumping; sleep 6; echo 3.1 GiB stored",
            "15 1 * * *",
            tags=["nightly"],
            max_retries=2,
        ),
        640,
        ("dumping", "compressed to 3.1 GiB", "stored in the bucket"),
        outcomes={11: "start_failed"},
        retried=frozenset({2, 19}),
        last_words="pg_dump: error: connection timed out",
    ),
    SampleJob(
        _job(
            "train-model",
            "for epoch in 1 2 3; do echo epoch $epoch; sleep 4; done",
            "0 22 * * 6",
            cpu=4,
            memory_mib=16384,
            tags=["team=data"],
        ),
        11_400,
        ("epoch 1: loss 0.41", "epoch 2: loss 0.29", "epoch 3: loss 0.24", "model stored"),
        outcomes={2: "capacity_unavailable"},
    ),
    SampleJob(
        _job(
            "import-catalog",
            "echo importing; sleep 5; echo 18203 products",
            "0 */6 * * *",
            concurrency_policy="replace",
            tags=["team=shop"],
        ),
        900,
        ("downloading the catalog", "18203 products", "17 are new", "done"),
        outcomes={9: "replaced", 41: "nonzero_exit"},
        last_words="KeyError: 'price'",
    ),
    SampleJob(
        _job(
            "mail-digest",
            "echo 214 mails; sleep 2; echo sent",
            "0 8 * * *",
            timezone="America/New_York",
            tags=["team=shop"],
        ),
        31,
        ("214 readers", "sent"),
        outcomes={5: MISSED},
    ),
    SampleJob(
        _job("clean-up", "echo removing old files; sleep 2", "@weekly", paused=True),
        12,
        ("removing files older than 30 days", "1204 files removed"),
    ),
    SampleJob(
        _job(
            "resize-images",
            "for n in $(seq 60); do echo resized $n; sleep 1; done",
            tags=["team=shop"],
        ),
        150,
        ("60 images", "resized 20", "resized 40", "resized 60"),
        manual=18,
        outcomes={3: "cancelled_by_user"},
    ),
    SampleJob(
        _job("migrate", "echo migrating; sleep 3; echo done", image="ghcr.io/example/migrate:v9"),
        20,
        ("applying 0042_orders.sql", "done"),
        days=8,
        manual=3,
        outcomes={0: "image_pull_failed"},
    ),
)
