"""Runs the steps of `make verify` at once, within one deadline, and clears up after them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from ulid import ULID

from infra.api_client import AT_ONCE, Api, NotOk
from infra.deploy import parameters_of
from infra.token_store import temporary_token
from infra.verify import api_steps, clearing, report, run_steps, schedule_steps
from infra.verify.results import Result, Verified
from infra.verify.trial import CutOff, Skipped, Step, Trial, Wrong

WORKSPACE = "jobyard-verify"
PROJECT = "verify"
STEPS: tuple[Step, ...] = (*api_steps.STEPS, *run_steps.STEPS, *schedule_steps.STEPS)
STEPS_SECONDS = 540.0
"""With the time that clearing up may take, under 12 minutes."""
PROGRESS_SECONDS = 60


def verify(
    stage: str, url: str, image: str, *, skip: Mapping[str, str], at_once: int = AT_ONCE
) -> Verified:
    """
    Run the steps against the stage at `url` with containers of `image`, and print the results.

    `skip` names steps that cannot be tried, each with its reason. No more than `at_once` requests
    are under way at a time.
    """
    done = Verified()
    region = boto3.session.Session().region_name
    with temporary_token(stage, region, WORKSPACE, projects=[PROJECT], name="verify") as text:
        trial = Trial(
            stage=stage,
            image=image,
            insights=parameters_of(stage).get("ContainerInsights", "unknown"),
            api=Api(url, text, workspace=WORKSPACE, project=PROJECT, at_once=at_once),
            workspace=WORKSPACE,
            project=PROJECT,
            suffix=str(ULID()),
            until=time.monotonic() + STEPS_SECONDS,
        )
        report.begin(STEPS, skip, trial)
        try:
            _run_steps(trial, skip, done)
        finally:
            done.left = clearing.clear_up(trial)
        done.findings, done.cost = trial.findings, trial.spent.sentence(trial.insights)
    report.end(done)
    return done


def _run_steps(trial: Trial, skip: Mapping[str, str], done: Verified) -> None:
    """Each step in a thread of its own; KeyboardInterrupt ends them all."""
    begun = time.monotonic()
    done.results += [
        Result(step.name, "skipped", 0, skip[step.name]) for step in STEPS if step.name in skip
    ]
    trying = [step for step in STEPS if step.name not in skip]
    with ThreadPoolExecutor(len(trying)) as pool:
        under_way: dict[Future[Result], Step] = {}
        try:
            for step in trying:
                under_way[pool.submit(_try, step, trial)] = step
            _collect(under_way, done, begun)
        except KeyboardInterrupt:
            print("\nInterrupted: the steps end, and what they made is removed.", flush=True)
            trial.ended.set()
            _collect(under_way, done, begun)


def _collect(under_way: dict[Future[Result], Step], done: Verified, begun: float) -> None:
    """Print each result as it comes, and now and then what is waited for."""
    spoken = time.monotonic()
    while under_way:
        finished, _ = wait(under_way, timeout=0.5, return_when="FIRST_COMPLETED")
        for future in finished:
            done.results.append(future.result())
            del under_way[future]
            report.result(done.results[-1], time.monotonic() - begun)
        if time.monotonic() - spoken > PROGRESS_SECONDS:
            spoken = time.monotonic()
            report.waiting([step.name for step in under_way.values()], spoken - begun)


def _try(step: Step, trial: Trial) -> Result:
    begun = time.monotonic()
    try:
        outcome, said = "ok", step.act(trial)
    except Skipped as why:
        outcome, said = "skipped", str(why)
    except CutOff:
        outcome, said = "cut off", f"was still waiting for {step.waits_for}"
    except (Wrong, NotOk, ClientError, BotoCoreError) as why:
        outcome, said = "wrong", str(why)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as why:
        outcome, said = "wrong", f"an answer has another form than it should: {why!r}"
    return Result(step.name, outcome, time.monotonic() - begun, said)
