"""Every read and every conditional write of the runs table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.attempt_tasks import new_task, task_id
from chalicelib.domain.change import Change
from chalicelib.domain.run_states import SUCCEEDED
from chalicelib.tables import month_costs, outcomes, usage
from chalicelib.tables.database import Database
from chalicelib.tables.expressions import actions_of, just_below
from chalicelib.tables.records import ACTIVE, Job
from chalicelib.tables.run_records import Live, Run, RunKey, Stats, TaskOwner
from chalicelib.tables.shards import shard
from chalicelib.tables.trail import entry_in_project
from chalicelib.tables.transaction import Transaction

if TYPE_CHECKING:
    from chalicelib.settings import Settings

_FIRST, _LAST = "run_", "run_~"


@dataclass(slots=True)
class RunsTable:
    """Runs, their counts, Idempotency-Keys, and which run each ECS task belongs to."""

    database: Database
    settings: Settings

    def get(self, job_id: str, run_id: str) -> Run | None:
        return self.database.get(Run, job_id, run_id)

    def get_with_job(self, project: str, job_id: str, run_id: str) -> tuple[Job | None, Run | None]:
        """A run and the job it must belong to, in one call."""
        job, run = self.database.get_many([(Job, project, job_id), (Run, job_id, run_id)])
        return job, run

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[Run]:
        """Those of (job, run) that exist, in the order asked for."""
        found = self.database.get_many([(Run, job_id, run_id) for job_id, run_id in keys])
        return [run for run in found if run is not None]

    def of_job(self, job_id: str, run_ids: Iterable[str]) -> list[Run]:
        """Those runs of a job that exist, in the order asked for."""
        return self.get_many([(job_id, run_id) for run_id in run_ids])

    def newest(
        self,
        job_id: str,
        *,
        before: str | None,
        limit: int | None,
        status: str | None = None,
        trigger: str | None = None,
    ) -> Iterator[Run]:
        """
        The runs of a job, newest first: those older than the run id `before`, and with that
        status and trigger, where given. `limit` is how many are read a page.
        """
        between = Run.sk.between(_FIRST, just_below(before) if before else _LAST)
        wanted = [Run.status == status] if status is not None else []
        wanted += [Run.trigger == trigger] if trigger is not None else []
        where = wanted[0] if wanted else None
        for condition in wanted[1:]:
            where &= condition
        return self.database.query(
            Run, job_id, sort=between, newest_first=True, limit=limit, where=where
        )

    def live(self, project: str, job_id: str) -> list[tuple[str, str]]:
        """(run id, status) of a job's runs in flight, oldest first; its cost depends on their
        number alone."""
        return [(live.run_id, live.status) for live in self.live_of(project, job_id, job_id)]

    def live_of(self, project: str, first: str, last: str) -> Iterator[Live]:
        """The runs in flight of the jobs with the ids `first` to `last`, by job, oldest first."""
        between = Live.sk.between(f"live#{first}#", f"live#{last}#~")
        return self.database.query(Live, project, sort=between)

    def live_runs(self, job: Job) -> list[Run]:
        """A job's runs in flight, oldest first."""
        return self.of_job(job.job_id, (run_id for run_id, _ in self.live(job.pk, job.job_id)))

    def counts_of(self, job_ids: Iterable[str]) -> list[Stats | None]:
        """The counts of jobs, in the order asked for."""
        return self.database.get_many([(Stats, job_id, "stats") for job_id in job_ids])

    def job_and_counts(self, project: str, job_id: str) -> tuple[Job | None, Stats | None]:
        """A job and its counts, in one call."""
        job, stats = self.database.get_many([(Job, project, job_id), (Stats, job_id, "stats")])
        return job, stats

    def job_and_key(
        self, project: str, job_id: str, key_id: str
    ) -> tuple[Job | None, RunKey | None]:
        """A job, and what an Idempotency-Key made under it, in one call."""
        job, key = self.database.get_many([(Job, project, job_id), (RunKey, job_id, key_id)])
        return job, key

    def page_of_keys(self, job_id: str, limit: int) -> list[Run]:
        """At most `limit` records under a job but its counts: pk, sk and `announce` alone."""
        page, _ = self.database.query_page(
            Run, job_id, limit=limit + 1, attributes=["pk", "sk", "announce"]
        )
        return [record for record in page if record.sk != "stats"]

    def delete_many(self, keys: Sequence[tuple[str, str]]) -> None:
        self.database.delete_many(Run, keys)

    def of_tasks(self, job_id: str, task_ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """Run id and attempt of those of a job's tasks that are recorded, by task id."""
        found = self.database.get_many(
            [(TaskOwner, job_id, f"task#{task_id}") for task_id in sorted(task_ids)]
        )
        owners = [owner for owner in found if owner is not None]
        return {owner.sk.removeprefix("task#"): (owner.run_id, owner.attempt) for owner in owners}

    def change(self, run: Run, changes: dict[str, Any]) -> bool:
        """
        Change a run, on condition that it was not written since it was read; None removes an
        attribute. False: it was, and nothing was changed.
        """
        write = self._write(run, changes)
        if len(write.transaction) > 1:
            return not write.commit()
        return self.database.update(run, actions_of(Run, write.changes), _unchanged(run))

    def finish(
        self, run: Run, changes: dict[str, Any], outcome: str, change: Change | None = None
    ) -> bool:
        """
        Make a run terminal and count it, in one transaction; `outcome` is its status, or `skipped`,
        and `change` is for the audit trail.

        A run that will be announced also notes whether its job begins to fail with it, or recovers
        (`outcomes`). The usual case is tried first, and nothing is read for it; a job that goes on
        failing, or recovers, takes two transactions.

        False: the run was written since it was read, or other runs of the job finish so fast that
        neither case held when it was tried. Nothing was changed.
        """
        if outcome != SUCCEEDED:
            changes = {**changes, "unsuccessful": f"{run.listed}#{changes['status']}"}
        for case in outcomes.cases(outcome, is_announced=bool(changes.get("announce"))):
            noted = {**changes, "notice": case.notice} if case.notice else changes
            write = self._write(run, noted, outcome, case.condition)
            if change is not None:
                write.transaction.put("entry", entry_in_project(run.project, change), None)
            failed = write.commit()
            if not failed:
                return True
            if failed != {"stats"}:
                return False
        return False

    def _write(
        self,
        run: Run,
        changes: dict[str, Any],
        outcome: str | None = None,
        counts: Condition = outcomes.IS_THERE,
    ) -> _Write:
        """
        The writes that change a run: the run itself, on condition that nobody else wrote it, and
        what follows from the change: whose a task is, that the run is in flight or not any more,
        its count, if the job's counts are as `counts` says, and what it cost. A run leaves flight
        once and costs nothing more then, so the sums of its month have it once.
        """
        changes = {**changes, "rev": run.rev + 1}
        if "look_at" in changes:
            changes["look_shard"] = self._shard_of(run, changes["look_at"])
        after = run.copy()
        after.apply(changes)
        transaction = Transaction(self.database)
        changes |= usage.count_run(transaction, run, after, self.settings.max_runs_in_flight)
        changes |= after.needless
        transaction.update("run", run, actions_of(Run, changes), _unchanged(run))
        shown = Live.of(after)
        counted = [] if outcome is None else outcomes.counting(after, outcome)
        if run.live and not after.live:
            transaction.delete("live", shown, None)
            counted += month_costs.added(transaction, after)
        elif after.live and shown.attribute_values != Live.of(run).attribute_values:
            transaction.put("live", shown, None)
        task_arn = new_task(run, changes)
        if task_arn is not None:
            self._own_task(transaction, run, task_arn)
        if counted:
            transaction.update("stats", Stats(run.job_id, "stats"), counted, counts)
        return _Write(transaction, run, changes, after)

    def _own_task(self, transaction: Transaction, run: Run, task_arn: str) -> None:
        """
        Record the run of a task, in the transaction that stores the task in the run: the name of a
        log stream has only the task's id.
        """
        owner = TaskOwner(run.job_id, f"task#{task_id(task_arn)}")
        owner.run_id, owner.attempt = run.run_id, run.attempt
        owner.expires = expiry(run.latest_end, self.settings.run_retention_days)
        transaction.put(
            "task", owner, TaskOwner.pk.does_not_exist() | (TaskOwner.run_id == run.run_id)
        )

    def _shard_of(self, run: Run, look_at: datetime | None) -> str | None:
        return shard(run.run_id, self.settings.shards, look_at)

    def claim(
        self,
        run: Run,
        job: Job,
        *,
        gate: int | None,
        counts_as_overlap: bool,
        key: RunKey | None,
        now: datetime,
    ) -> frozenset[str]:
        """
        Make a run, on condition that its job is active and still the version that was read, and
        note it there as the latest one.

        `gate`: the number that the job must still have, for a slot of a job that lets only one
        run be in flight. With `counts_as_overlap` it is raised, so that a concurrent decision
        fails. The labels that failed: `job` (changed, gone, or the gate moved), `run` (there
        already), `key` (used already), `quota` (the workspace's is used up); none: stored.
        """
        transaction = Transaction(self.database)
        usage.count_new_run(transaction, run, self.settings.max_runs_in_flight)
        active = Job.pk.exists() & (Job.state == ACTIVE) & (Job.version == job.version)
        if gate is not None:
            active &= Job.gate == gate
        noted: list[Action] = [Job.latest_run.set(run.run_id)]
        if counts_as_overlap:
            noted.append(Job.gate.add(1))
        transaction.update("job", Job(job.pk, job.sk), noted, active)
        run.look_shard = self._shard_of(run, run.look_at)
        transaction.put("run", run, Run.pk.does_not_exist())
        transaction.put("live", Live.of(run), None)
        if key is not None:
            unused = RunKey.pk.does_not_exist() | (RunKey.expires <= now)
            transaction.put("key", key, unused)
        return transaction.commit()

    def record_skip(self, run: Run, job: Job, *, count: int) -> bool:
        """
        Record a slot that does not start, and count it (`count`: with the older ones it stands
        for).

        False: the slot has its record already, or its job is not active any more.
        """
        transaction = Transaction(self.database)
        transaction.check("job", Job, (job.pk, job.sk), Job.pk.exists() & (Job.state == ACTIVE))
        run.look_shard = self._shard_of(run, run.look_at)
        run.unsuccessful = f"{run.listed}#{run.status}"
        transaction.put("run", run, Run.pk.does_not_exist())
        counted = outcomes.counting(run, outcomes.SKIPPED, slots=count)
        transaction.update("stats", Stats(run.job_id, "stats"), counted, outcomes.IS_THERE)
        return not transaction.commit()


class _Write(NamedTuple):
    """A change of a run with all that follows from it, to be stored."""

    transaction: Transaction
    run: Run
    changes: dict[str, Any]
    after: Run

    def commit(self) -> frozenset[str]:
        """Store it: the labels whose condition failed, empty when it was stored."""
        failed = self.transaction.commit()
        if not failed:
            self.run.apply(self.changes)
        return failed


def _unchanged(run: Run) -> Condition:
    condition: Condition = Run.pk.exists() & (Run.rev == run.rev)
    return condition


def expiry(finished_at: datetime, retention_days: int | None) -> datetime | None:
    """When TTL may remove a finished run."""
    return None if retention_days is None else finished_at + timedelta(days=retention_days)
