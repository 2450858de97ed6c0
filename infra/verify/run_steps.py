"""How a run starts, ends, and is read."""

from __future__ import annotations

from infra.verify import leftovers
from infra.verify.trial import Skipped, Step, Trial, expect, seconds_between

START_SECONDS = 180
"""Fargate takes half a minute to a minute; a first pull of an image a little longer."""
METRICS_RUN_SECONDS = 150
"""Container Insights has a sample a minute, so that some of them are of this run."""
EVENT_SECONDS = 60


def run(trial: Trial) -> str:
    """Create, run, read its output, its exit code and the job's counts."""
    with trial.job("run", "echo hello from $JOBYARD_RUN_ID", env={"MODE": "full"}) as job_id:
        path = trial.trigger(job_id)
        done = trial.finished(path, START_SECONDS)
        ended = (done["status"], done["exit_code"], done["error"])
        expect(ended == ("succeeded", 0, None), f"the run ended as {ended}")
        lines = trial.output(path)
        expect(lines == [f"hello from {done['id']}"], f"its output is {lines}")
        counts = trial.api.ask("GET", f"jobs/{job_id}/status")["run_counts"]
        expect((counts["succeeded"], counts["total"]) == (1, 1), f"its job counts {counts}")
    delay = seconds_between(done["created_at"], done["started_at"])
    trial.find(f"A container started {delay:.0f} s after its run was asked for.")
    return "succeeded with exit code 0, and its output is readable"


def event(trial: Trial) -> str:
    """ECS's event settles a run that nobody asks about."""
    with trial.job("event") as job_id:
        run_id = trial.trigger(job_id).rpartition("/")[2]
        key = {"pk": {"S": job_id}, "sk": {"S": run_id}}
        table = f"{trial.prefix}-runs"

        def stored() -> bool:
            item = trial.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
            return bool(item["status"] == {"S": "succeeded"})

        trial.wait(stored, "the run is not settled in the table", START_SECONDS)
        done = trial.api.ask("GET", f"jobs/{job_id}/runs/{run_id}")
        line = trial.wait(
            lambda: trial.log_line("run finished", run_id), "no function has logged its end", 90
        )
    late = max(seconds_between(done["finished_at"], done["observed_at"]), 0)
    is_late = f"settled {late:.0f} s after its end"
    expect(
        f"{trial.prefix}-sweep[" not in line["stream"], f"{is_late}, by the sweep: no event came"
    )
    expect(late < EVENT_SECONDS, f"{is_late}: events are late")
    return f"settled {late:.1f} s after its end"


def retry(trial: Trial) -> str:
    """An attempt that fails is followed by another."""
    script = 'echo attempt $JOBYARD_ATTEMPT; test "$JOBYARD_ATTEMPT" = 2 || exit 3'
    with trial.job("retry", script, max_retries=1) as job_id:
        done = trial.finished(trial.trigger(job_id), 2 * START_SECONDS + 120)
    expect(done["status"] == "succeeded", f"the run {done['status']}: {done['error']}")
    first, second = done["attempts"]
    failed = (first["exit_code"], (first["error"] or {}).get("code"))
    expect(failed == (3, "nonzero_exit"), f"the first attempt ended as {failed}")
    pause = seconds_between(first["finished_at"], second["started_at"])
    expect(pause >= 0, "the attempts overlap")
    return f"failed with exit code 3, and succeeded {pause:.0f} s later"


def time_out(trial: Trial) -> str:
    """An attempt that takes too long is stopped."""
    with trial.job("time-out", "exec sleep 600", timeout_seconds=5) as job_id:
        done = trial.finished(trial.trigger(job_id), START_SECONDS + 180)
    code = (done["error"] or {}).get("code")
    expect((done["status"], code) == ("failed", "timed_out"), f"ended as {done['status']}, {code}")
    ran = seconds_between(done["started_at"], done["finished_at"])
    return f"stopped after {ran:.0f} s, with a time-out of 5 s"


def cancel(trial: Trial) -> str:
    """Cancelling stops the container."""
    with trial.job("cancel", "exec sleep 600") as job_id:
        path = trial.trigger(job_id)
        trial.running(path, START_SECONDS)
        trial.api.ask("POST", f"{path}/cancel")
        status = trial.api.ask("GET", path)["status"]
        expect(status == "cancelled", f"the run is {status} after it was cancelled")

        def ended() -> bool:
            answer = trial.api.ask("GET", path)
            return answer["exit_code"] is not None and not leftovers.tasks(trial, job_id)

        trial.wait(ended, "its task has not stopped", 150)
        done = trial.api.ask("GET", path)
    expect(done["status"] == "cancelled", f"the run became {done['status']} afterwards")
    return f"cancelled at once, and its task stopped with exit code {done['exit_code']}"


def metrics(trial: Trial) -> str:
    """CPU and memory of a run come from Container Insights."""
    if trial.insights == "disabled":
        raise Skipped("the stage has ContainerInsights=disabled")
    with trial.job("metrics", f"exec sleep {METRICS_RUN_SECONDS}") as job_id:
        path = trial.trigger(job_id)
        done = trial.finished(path, START_SECONDS + METRICS_RUN_SECONDS)
        address = f"{path}/metrics" if trial.insights == "enhanced" else f"jobs/{job_id}/metrics"

        def measured() -> bool:
            found = trial.api.ask("GET", address)["metrics"].values()
            return all(one["status"] == "success" and one["points"] for one in found)

        trial.wait(measured, f"{address} has no points", 240)
        if trial.insights == "enhanced":
            task = [{"Name": "TaskId", "Value": done["task_arn"].rpartition("/")[2]}]
            listed = trial.cloudwatch.list_metrics(
                Namespace="ECS/ContainerInsights", Dimensions=task
            )["Metrics"]
            trial.find(
                f"Enhanced Container Insights lists {len(listed)} metrics of one task; "
                "docs/operating.md reckons with 25."
            )
    return "CPU and memory have points"


def filtered(trial: Trial) -> str:
    """A filter finds a word; whether it finds part of one, CloudWatch decides."""
    with trial.job("filter", "echo before inwordneedleinword after") as job_id:
        path = trial.trigger(job_id)
        trial.finished(path, START_SECONDS)
        trial.output(path, "?filter=inwordneedleinword", seconds=120)
        inside = trial.api.ask("GET", f"{path}/logs?filter=needle")["logs"]
    matches = "matches" if inside else "does not match"
    trial.find(f"A quoted phrase of a CloudWatch filter pattern {matches} inside a word.")
    return f"finds a word; a phrase {matches} inside one"


def delete(trial: Trial) -> str:
    """The task in flight ignores SIGTERM, so the sweep must go on with the delete."""
    script = 'trap "" TERM; while :; do sleep 1; done'
    with trial.job("delete", script, schedule="0 0 1 1 *") as job_id:
        trial.running(trial.trigger(job_id), START_SECONDS)
        trial.forget(job_id)
        status = trial.answer("GET", f"jobs/{job_id}").status
        expect(status == 404, f"the job is answered with {status} after it was deleted")
        left = leftovers.of_job(trial, job_id)
        expect(any(one.startswith("task ") for one in left), "its task stopped before it could")
        trial.wait(lambda: not leftovers.of_job(trial, job_id), "something is left of it", 300)
    return "no task, rule, log group, task definition or record is left"


STEPS = (
    Step("run", "its end, exit code, output and counts", run),
    Step("event", "ECS's event to settle a run that nobody asks about", event),
    Step("retry", "a failed attempt and the one after it", retry),
    Step("time-out", "a task to be stopped that runs too long", time_out),
    Step("cancel", "a running task to stop", cancel),
    Step("metrics", "points of CPU and memory in Container Insights", metrics),
    Step("filter", "a line to be found by a word of it", filtered),
    Step("delete", "nothing to be left of a job whose task ignores SIGTERM", delete),
)
