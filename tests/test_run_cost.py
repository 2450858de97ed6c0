"""What a run costs: the arithmetic of the estimate, and what of a task's life is billed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import prices, run_cost, spent_tasks, time_limits, transitions
from chalicelib.domain.run_cost import Bill
from tests.sample_runs import HOUR, MINUTE, NOW, RUNNING, Run, could_not_start, running, stopped

SPEC = {"cpu": 0.25, "memory_mib": 512, "architecture": "x86_64"}
SECOND = timedelta(seconds=1)


def kept(region: str = "us-east-1", *, address: bool = True, metrics: bool = False, **spec: Any):  # type: ignore[no-untyped-def]  # a list as it is stored
    return run_cost.rates(SPEC | spec, region, has_address=address, has_task_metrics=metrics)


def test_a_worked_example() -> None:
    """
    90 s of 0.25 vCPU and 0.5 GB in N. Virginia with a public address: the example of docs/costs.md.
    """
    fargate = (Decimal("0.25") * Decimal("0.04048") + Decimal("0.5") * Decimal("0.004445")) * 90
    exact = (fargate + Decimal("0.005") * 90) / 3600
    bill = run_cost.bill(kept(), NOW, NOW + timedelta(seconds=90))
    assert bill == Bill(90, 433563)
    assert abs(Decimal(bill.nano_usd or 0) / 10**9 - exact) <= Decimal("0.0000000005")


@pytest.mark.parametrize(
    ("seconds", "billed"), [(0, 60), (59.9, 60), (60, 60), (60.001, 61), (90, 90), (3600.5, 3601)]
)
def test_a_task_is_billed_by_the_second_and_for_a_minute_at_least(
    seconds: float, billed: int
) -> None:
    """A second that is begun is billed."""
    assert run_cost.bill(kept(), NOW, NOW + timedelta(seconds=seconds)).seconds == billed


def test_the_metrics_of_a_task_are_billed_for_each_hour_that_is_begun() -> None:
    """25 metrics at 0.07 USD a month, with enhanced Container Insights only."""
    hour = round(25 * Decimal("0.07") * 10**9 / 730)
    plain, measured = kept(), kept(metrics=True)
    for seconds, hours in ((60, 1), (3600, 1), (3601, 2)):
        until = NOW + timedelta(seconds=seconds)
        without = run_cost.bill(plain, NOW, until).nano_usd
        assert run_cost.bill(measured, NOW, until).nano_usd == (without or 0) + hours * hour


def test_architecture_address_and_region_decide_the_price() -> None:
    """arm64 is cheaper, a stage without public addresses pays for none."""
    each = [kept(architecture="arm64"), kept(address=False), kept(), kept("sa-east-1")]
    amounts = [run_cost.bill(one, NOW, NOW + HOUR).nano_usd or 0 for one in each]
    assert amounts == [14_875_000, 12_342_500, 17_342_500, 26_200_000]


@pytest.mark.parametrize(("region", "arch"), [("xx-east-9", "x86_64"), ("eu-central-1", "arm64")])
def test_a_price_that_is_not_known_gives_no_estimate(region: str, arch: str) -> None:
    """Neither a region that is not in the list nor an architecture there is guessed."""
    unknown = kept(region, architecture=arch)
    assert unknown is None
    assert run_cost.bill(unknown, NOW, NOW + HOUR) == Bill(3600, None)
    assert run_cost.together(Bill(60, 5), Bill(60, None)) == Bill(120, None)


@given(
    cpu=st.sampled_from([0.25, 0.5, 1, 2, 4, 8, 16]),
    half_gb=st.integers(1, 240),
    seconds=st.integers(60, 1_209_600),
    region=st.sampled_from(sorted(prices.FARGATE["x86_64"])),
)
def test_an_estimate_is_the_exact_product_rounded_once(
    cpu: float, half_gb: int, seconds: int, region: str
) -> None:
    """To the nearest billionth of a dollar: no float is added up on the way."""
    size = prices.FARGATE["x86_64"][region]
    hour = Decimal(size.vcpu) * Decimal(cpu) + Decimal(size.gb) * half_gb / 2 + Decimal("0.005")
    bill = run_cost.bill(
        kept(region, cpu=cpu, memory_mib=half_gb * 512), NOW, NOW + seconds * SECOND
    )
    assert abs((bill.nano_usd or 0) - hour * seconds * 10**9 / 3600) <= Decimal("0.5")


# which part of a task's life is billed


def finished(run: Run, **task: Any) -> Run:
    return run.apply(transitions.seen(run, stopped(**task), NOW + HOUR))


def test_a_task_is_billed_from_the_pull_of_its_image_until_it_is_stopped() -> None:
    """Not only while its container runs: pulling and clearing up are billed too."""
    run = finished(
        replace(RUNNING, rates=kept()),
        pullStartedAt=NOW - 30 * SECOND,
        executionStoppedAt=NOW + 2 * MINUTE,
        stoppedAt=NOW + 2 * MINUTE + 15 * SECOND,
    )
    assert run_cost.of_run(run) == run_cost.bill(kept(), NOW - 30 * SECOND, NOW + 135 * SECOND)
    assert run.finished_at == NOW + 2 * MINUTE


def test_a_task_that_never_pulled_its_image_costs_nothing() -> None:
    """Fargate bills from the pull on."""
    run = Run(rates=kept(), spent_tasks=["a"] * spent_tasks.MAX_RELAUNCHES)
    after = run.apply(transitions.seen(run, could_not_start(), NOW + HOUR))
    assert after.status == "failed"
    assert run_cost.of_run(after) is None


def test_tasks_that_did_not_start_and_were_launched_again_are_added_up() -> None:
    """Each pulled its image, so each is billed at least a minute, in the same attempt."""
    run = Run(rates=kept())
    minute = run_cost.bill(kept(), NOW, NOW)
    for number in (1, 2):
        pulled = could_not_start(pullStartedAt=NOW, stoppedAt=NOW + SECOND, version=number)
        run = run.apply(transitions.seen(run, pulled, NOW + MINUTE))
        assert run.status == "pending"
        assert run_cost.of_attempt(run) == run_cost.together(*[minute] * number)
        run = replace(run, task_arn="arn:task/1", requested_at=NOW)
    run = finished(run, pullStartedAt=NOW, stoppedAt=NOW + SECOND)
    assert run_cost.of_run(run) == run_cost.together(minute, minute, minute)


def test_a_retry_has_a_cost_of_its_own_and_the_run_has_the_sum() -> None:
    """What the first attempt cost does not move into the second."""
    run = replace(RUNNING, rates=kept(), max_attempts=2)
    run = finished(run, exit_code=1, pullStartedAt=NOW)
    assert run_cost.of_attempt(run) is None
    run = replace(run, task_arn="arn:task/2", requested_at=NOW + HOUR)
    started = running(taskArn="arn:task/2", startedBy="job_1/run_1/2", pullStartedAt=NOW + HOUR)
    run = run.apply(transitions.seen(run, started, NOW + HOUR + MINUTE))
    assert run_cost.of_attempt(run) == run_cost.bill(kept(), NOW, NOW + MINUTE)
    last = {"taskArn": "arn:task/2", "startedBy": "job_1/run_1/2"}
    run = finished(run, pullStartedAt=NOW + HOUR, stoppedAt=NOW + HOUR + 3 * MINUTE, **last)
    parts = [run_cost.of_past(past) for past in run.past_attempts or []]
    two, three = (run_cost.bill(kept(), NOW, NOW + n * MINUTE) for n in (2, 3))
    assert parts == [two, three]
    assert run_cost.of_run(run) == run_cost.together(two, three)


def test_a_cancelled_run_costs_what_its_task_ran_until_it_was_stopped() -> None:
    """So far while the task stops, and all of it once it has."""
    run = replace(RUNNING, rates=kept(), pull_started_at=NOW, observed_at=NOW)
    run = run.apply(transitions.cancelled(run, "cancelled_by_user", NOW + 2 * MINUTE))
    assert run_cost.of_run(run) == run_cost.bill(kept(), NOW, NOW + 2 * MINUTE)
    run = finished(run, pullStartedAt=NOW, stoppedAt=NOW + 3 * MINUTE)
    assert (run.live, run.status) == (None, "cancelled")
    assert run_cost.of_run(run) == run_cost.bill(kept(), NOW, NOW + 3 * MINUTE)


@pytest.mark.parametrize("status", ["running", "cancelled"])
def test_a_lost_task_is_billed_until_ecs_first_did_not_know_it(status: str) -> None:
    """It ended some time before, and is not billed for the hours until it is declared lost."""
    run = replace(
        RUNNING, status=status, rates=kept(), pull_started_at=NOW, missing_at=NOW + 2 * HOUR
    )
    run = run.apply(time_limits.missing(run, NOW + 9 * HOUR))
    assert run.live is None
    assert run_cost.of_run(run) == run_cost.bill(kept(), NOW, NOW + 2 * HOUR)


def test_a_run_that_an_older_version_made_has_no_estimate() -> None:
    """It did not keep its prices; its end is stored as ever."""
    run = finished(replace(RUNNING, past_attempts=None), pullStartedAt=NOW)
    assert run.status == "succeeded"
    assert run_cost.of_run(run) == Bill(120, None)
    assert run_cost.of_past({"attempt": 1}) is None
