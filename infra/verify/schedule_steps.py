"""What starts the runs of a schedule, and what its concurrency policies do."""

from __future__ import annotations

from typing import Any

from infra.verify import leftovers
from infra.verify.trial import Step, Trial, expect, moment, seconds_between

EVERY_MINUTE = "* * * * *"
GRACE_SECONDS = 85
"""The sweep leaves a slot to its rule for 90 s, so a run that was claimed earlier is the rule's."""
FIRST_RUN_SECONDS = 300
"""A new rule may miss its first minute, and the sweep takes up to 150 s after a slot."""
LONG = "exec sleep 600"


def _delay(run: dict[str, Any]) -> float:
    """Seconds from a slot to the moment at which its run was claimed."""
    return seconds_between(run["scheduled_for"], run["created_at"])


def by_rule(trial: Trial) -> str:
    """EventBridge's rule wakes the job at its minute, and the run knows its slot."""
    script = "echo at $JOBYARD_SCHEDULED_FOR"
    with trial.job("rule", script, schedule=EVERY_MINUTE) as job_id:

        def look() -> Any:
            found = trial.runs(job_id, "?trigger=schedule&status=succeeded")
            return next((run for run in found if _delay(run) < GRACE_SECONDS), None)

        run = trial.wait(look, "no slot was started by its rule", FIRST_RUN_SECONDS)
        expect(moment(run["scheduled_for"]).second == 0, f"the slot is {run['scheduled_for']}")
        lines = trial.output(f"jobs/{job_id}/runs/{run['id']}")
        expect(lines == [f"at {run['scheduled_for']}"], f"its output is {lines}")
        fire = trial.wait(lambda: trial.log_line("fired", job_id), "no fire is in the log", 90)
    time = fire["slot"]
    has = "no seconds" if moment(time).second == 0 else "seconds"
    trial.find(f"The `time` of a scheduled event is {time}: it carries {has}.")
    trial.find(f"A rule's run was claimed {_delay(run):.0f} s after its minute.")
    return f"claimed {_delay(run):.0f} s after its minute"


def by_sweep(trial: Trial) -> str:
    """A schedule whose rule is disabled: only the sweep can start it."""
    with trial.job("sweep", "true", schedule=EVERY_MINUTE) as job_id:

        def look() -> Any:
            for rule in leftovers.rules(trial, job_id):  # the audit puts it right again
                trial.events.disable_rule(Name=rule)
            found = trial.runs(job_id, "?trigger=schedule&status=succeeded")
            return next((run for run in found if _delay(run) > GRACE_SECONDS), None)

        run = trial.wait(look, "no slot was started without its rule", FIRST_RUN_SECONDS)
    return f"claimed {_delay(run):.0f} s after its minute, without its rule"


def replace(trial: Trial) -> str:
    """A slot cancels the run before it, and starts once that has stopped."""
    with trial.job("replace", LONG, schedule=EVERY_MINUTE, concurrency_policy="replace") as job_id:

        def two() -> bool:
            return len(trial.runs(job_id, "?trigger=schedule")) > 1

        trial.wait(two, "there are no two slots", FIRST_RUN_SECONDS)
        trial.api.ask("PATCH", f"jobs/{job_id}", {"paused": True})
        newest, *older = trial.runs(job_id, "?trigger=schedule")
        run = trial.running(f"jobs/{job_id}/runs/{newest['id']}", FIRST_RUN_SECONDS)
        for each in older:
            was = trial.api.ask("GET", f"jobs/{job_id}/runs/{each['id']}")
            code = (was["error"] or {}).get("code")
            expect(code == "replaced", f"an earlier run is {was['status']}, {code}")
            apart = seconds_between(was["finished_at"], run["started_at"])
            expect(apart >= 0, f"it had been running for {-apart:.0f} s beside its successor")
    return f"{len(older)} replaced; the newest started {apart:.0f} s after that had stopped"


def forbid(trial: Trial) -> str:
    """A slot is skipped while a run is in flight, and the skip is recorded."""
    with trial.job("forbid", LONG, schedule=EVERY_MINUTE, concurrency_policy="forbid") as job_id:

        def skipped() -> bool:
            found = trial.runs(job_id, "?trigger=schedule&status=cancelled")
            return any(run["error"]["code"] == "skipped_overlap" for run in found)

        trial.wait(skipped, "no slot is recorded as skipped", FIRST_RUN_SECONDS)
        counts = trial.api.ask("GET", f"jobs/{job_id}/status")["run_counts"]
        in_flight = counts["pending"] + counts["running"]
        expect(in_flight == 1, f"{in_flight} runs are in flight")
    return "skipped and recorded, with one run in flight"


STEPS = (
    Step("rule", "a slot of every minute to be started by its rule", by_rule),
    Step("sweep", "a slot whose rule is disabled to be started by the sweep", by_sweep),
    Step("replace", "a slot to take the place of the run before it", replace),
    Step("forbid", "a slot to be skipped while a run is in flight", forbid),
)
