"""
A storm, modelled: many schedules due at one midnight, with AWS's documented limits.

The model follows the code: the sweep reads, hands out parts, parts claim, one launcher launches
at the stage's pace, and each minute brings the next sweep. What it assumes of AWS is in `Assumed`,
with the source of each number. tests/reliability/test_storm.py holds it against a storm through
the real handlers.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from chalicelib.engine import at_once, due_runs, launcher, shard_sweep, sweep
from chalicelib.settings import SHARDS

Steps = Generator[Any, Any, None]


@dataclass(frozen=True, slots=True)
class Assumed:
    """What AWS takes and allows. ° marks an assumption of ours; all else is documented by AWS."""

    trigger: float = 5.0
    """° Seconds from the minute to the sweep's call: EventBridge documents only "within the
    minute" (user guide, "Creating a scheduled rule")."""
    cold_start: float = 1.0
    """° From a part's invocation to its first line; see docs/benchmarks.md for the import."""
    invoke: float = 0.02
    """° Of an asynchronous Invoke."""
    dynamodb: float = 0.008
    """Of a call: DynamoDB documents "single-digit millisecond"; ° a transaction takes as long."""
    run_task: float = 0.4
    """° Of RunTask."""
    cpu: float = 0.008
    """° Of a vCPU for a claim, on Lambda's arm64 at 1,769 MB; half is measured on a laptop."""
    start: float = 30.0
    """° From RunTask to RUNNING, for a small image."""
    run_tasks: float = 20.0
    """RunTask calls a second ("AWS Fargate throttling quotas", ECS developer guide)."""
    pace: float = 1 / launcher.LAUNCH_INTERVAL
    """Launches a second of the launcher: a constant of the code, which keeps to `run_tasks`."""
    launchers: int = launcher.LAUNCHERS
    write_units: float = 4_000.0
    """A second, of a new on-demand table ("Understanding DynamoDB warm throughput"); twice the
    former peak within half an hour, 40,000 by quota."""
    shard_units: float = 1_000.0
    """A second, of a partition of a table or an index (the same page)."""
    burst: float = 1.0
    """° Seconds whose units may be written at once."""
    functions: float = 1_000.0
    """At once, in an account and region (Lambda quotas)."""
    vcpus: float = 1e9
    """Of Fargate On-Demand at once: by default 6 in a new account; here no limit."""
    workers: int = shard_sweep.CLAIMS
    shards: int = SHARDS

    # per slot, measured: `python -m bench costs`
    claim_calls: float = 2.0
    claim_units: float = 10.0
    """Write units of the runs table; the jobs table takes 3 more."""
    move_units: float = 2.0
    """Of the index `work`."""
    launch_calls: float = 2.0
    units: float = 20.0
    """
    Write units of a slot in all, until its task is recorded: 13 of its claim and 7 of its launch
    (docs/costs.md, whose launch of a single run has the 5 of a launcher's lease besides).
    """


PRICE_WRITE, PRICE_READ = 0.625e-6, 0.125e-6
PRICE_GB_SECOND, PRICE_CALL = 13.3334e-6, 0.2e-6


@dataclass(slots=True)
class Outcome:
    """Seconds after midnight, and USD."""

    slots: int
    claims: list[tuple[float, int]]
    """(when, how many have been claimed by then)"""
    launches: list[tuple[float, int]]
    function_seconds: float = 0.0
    functions: int = 0
    parts: int = 0
    """Those of the functions that a sweep handed something out to."""
    start: float = 0.0

    @property
    def last_claim(self) -> float:
        return self.claims[-1][0]

    @property
    def last_launch(self) -> float:
        return self.launches[-1][0]

    @property
    def last_start(self) -> float:
        return self.last_launch + self.start

    def cost(self, assumed: Assumed) -> float:
        """Of Jobyard's part, without the containers."""
        seconds = self.function_seconds * 1.769 * PRICE_GB_SECOND
        reads = self.slots * 4 * PRICE_READ
        return seconds + reads + self.slots * assumed.units * PRICE_WRITE


class Units:
    """Write units, so many a second, and of some seconds at once."""

    def __init__(self, env: simpy.Environment, rate: float, burst: float) -> None:
        self._env, self._rate, self._burst = env, rate, burst
        self._free_at = -burst

    def delay(self, units: float) -> float:
        """Seconds until so many are there."""
        now = self._env.now
        self._free_at = max(self._free_at, now - self._burst) + units / self._rate
        return max(0.0, self._free_at - now)


class Storm:
    """One midnight."""

    def __init__(self, slots: int, assumed: Assumed) -> None:
        self.a = assumed
        self.env = simpy.Environment()
        self.outcome = Outcome(slots, [], [], start=assumed.start)
        share, more = divmod(slots, assumed.shards)
        self.due = [share + (shard < more) for shard in range(assumed.shards)]
        self.waiting = 0
        self.is_launching = False
        self.table = Units(self.env, assumed.write_units, assumed.burst)
        self.index = [
            Units(self.env, assumed.shard_units, assumed.burst) for _ in range(assumed.shards)
        ]
        self.running = simpy.Resource(self.env, int(assumed.functions))

    def run(self) -> Outcome:
        self.env.process(self._minutes())
        self.env.run()
        return self.outcome

    @property
    def _is_over(self) -> bool:
        return self._done(self.outcome.launches) >= self.outcome.slots

    def _minutes(self) -> Steps:
        yield self.env.timeout(self.a.trigger)
        while not self._is_over:
            self.env.process(self._sweep())
            yield self.env.timeout(60)

    def _sweep(self) -> Steps:
        a = self.a
        began = self.env.now
        yield self.env.timeout(2 * a.shards * a.dynamodb)
        due = sum(min(found, sweep.PER_SHARD) for found in self.due)
        if due > sweep.MOST_JOBS or self.waiting > sweep.MOST_RUNS:
            parts = []
            waiting = self.waiting / a.shards
            for shard, found in enumerate(self.due):
                most = max(found, waiting)
                of = sweep.SHARES if most >= sweep.PER_SHARD else 1
                shares = [found // of + (n < found % of) for n in range(of if most else 0)]
                parts += [(shard, share) for share in shares]
            yield self.env.timeout(a.invoke)
            self.env.process(self._function(self._launcher()))
            for shard, share in parts:
                yield self.env.timeout(a.invoke)
                self.env.process(self._function(self._part(shard, share)))
        else:
            for shard, found in enumerate(self.due):
                if found:
                    yield self.env.process(self._claims(shard, found, shard_sweep.TURN))
            yield self.env.process(self._launcher())
        self._used(self.env.now - began)

    def _function(self, steps: Steps) -> Steps:
        """A function of its own, once there is concurrency for it."""
        with self.running.request() as place:
            yield place
            yield self.env.timeout(self.a.cold_start)
            began = self.env.now
            self.outcome.parts += 1
            yield self.env.process(steps)
            self._used(self.env.now - began)

    def _used(self, seconds: float) -> None:
        self.outcome.function_seconds += seconds
        self.outcome.functions += 1

    def _part(self, shard: int, share: int) -> Steps:
        a = self.a
        # the index's page, and the jobs by the hundred, each read before its claims; and the same
        # of the runs that wait
        looks = 1 + self.waiting / a.shards / sweep.SHARES / due_runs.AT_ONCE
        yield self.env.timeout((2 + looks) * a.dynamodb)
        yield self.env.process(
            self._claims(shard, share, shard_sweep.TURN * shard_sweep.CLAIMS_SHARE)
        )

    def _claims(self, shard: int, share: int, seconds: float) -> Steps:
        """As many at once as there are workers, on one vCPU."""
        a = self.a
        until = self.env.now + seconds
        each = max((a.claim_calls * a.dynamodb + a.cpu) / a.workers, a.cpu)
        for number in range(share):
            if self.env.now > until:
                return
            read = a.dynamodb if number % due_runs.AT_ONCE == 0 else 0.0
            throttled = max(self.table.delay(a.claim_units), self.index[shard].delay(a.move_units))
            yield self.env.timeout(max(read + each, throttled))
            self.due[shard] -= 1
            self.waiting += 1
            self._note(self.outcome.claims)

    def _launcher(self) -> Steps:
        """Rounds of launches at the stage's pace, with a look at what waits before each."""
        if self.is_launching:
            return
        self.is_launching = True
        until = self.env.now + shard_sweep.TURN
        looks = 0
        a = self.a
        pace = max(
            1 / a.pace,
            1 / a.run_tasks,
            (a.run_task + a.launch_calls * a.dynamodb) / a.launchers,
        )
        while self.env.now < until - at_once.ENOUGH and looks < launcher.PATIENCE:
            seen = min(self.waiting, a.shards * launcher.PER_SHARD)
            yield self.env.timeout(a.shards * a.dynamodb + seen * a.cpu / 80)
            some = min(seen, launcher.ROUND)
            looks = 0 if some else looks + 1
            if not some:
                if self._is_over:
                    break
                yield self.env.timeout(launcher.PAUSE)
            for number in range(some):
                if self.env.now > until - at_once.ENOUGH:
                    break
                read = 3 * a.dynamodb if number % due_runs.AT_ONCE == 0 else 0.0
                yield self.env.timeout(max(pace, self.table.delay(a.units - a.claim_units)) + read)
                self.waiting -= 1
                self._note(self.outcome.launches)
        self.is_launching = False

    def _note(self, events: list[tuple[float, int]]) -> None:
        events.append((self.env.now, self._done(events) + 1))

    @staticmethod
    def _done(events: list[tuple[float, int]]) -> int:
        return events[-1][1] if events else 0


def model(slots: int, assumed: Assumed | None = None) -> Outcome:
    """What becomes of so many schedules that are due at one midnight."""
    return Storm(slots, assumed or Assumed()).run()
