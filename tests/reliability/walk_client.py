"""A client in a random walk: its requests, and what their answers promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import strategies as st
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.errors import JobyardError
from chalicelib.tables.usage import Usage, UsedJobs, UsedRuns
from tests.reliability.walk_faults import Fault, pick
from tests.reliability.wire import Death
from tests.reliability.world import World
from tests.yard import IMAGE, PROJECT, WORKSPACE, Answer


@dataclass
class Promises:
    """What was answered with a success, and must hold from then on."""

    jobs: dict[str, str] = field(default_factory=dict)
    """The name of each job that was created and not deleted, by its id."""
    runs: dict[str, str] = field(default_factory=dict)
    """The job of each run that was triggered, by the run's id."""
    cancelled: set[str] = field(default_factory=set)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    """What each Idempotency-Key has made, by (job or project, key)."""
    doubtful: set[str] = field(default_factory=set)
    """Jobs whose delete got no answer."""
    versions: dict[str, int] = field(default_factory=dict)
    """The version of each job in the last answer about it."""
    renamed: set[str] = field(default_factory=set)
    """Jobs of which a change got no answer."""
    is_doubtful: bool = False
    """Whether a request without an answer may have taken or freed a name."""


class Client:
    """Makes requests, and compares each answer with what was promised before."""

    world: World
    promised: Promises

    def _under(self, fault: Fault, act: Callable[[], Any]) -> Any:
        """Do the act with the fault; return None if the process died."""
        answer = None
        try:
            with fault.on(self.world):
                answer = act()
        except Death:
            pass
        except (JobyardError, ClientError, BotoCoreError, PynamoDBException):
            # events, fires and sweeps may fail if AWS does; they are repeated
            if not fault.is_failure:
                raise
        self.world.observe()
        return answer

    def _call(
        self,
        fault: Fault,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        version: int | None = None,
    ) -> Answer | None:
        headers = {} if key is None else {"Idempotency-Key": key}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        answer: Answer | None = self._under(
            fault, lambda: self.world.yard.call(method, path, body, headers=headers)
        )
        if answer is not None:
            assert answer.status != 500, answer.envelope
            if answer.status == 503:
                assert fault.is_failure, answer.envelope
                assert "Retry-After" in answer.headers
        return answer

    def create(self, fault: Fault, spec: dict[str, Any], key: str | None) -> None:
        answer = self._call(fault, "POST", "/jobs", {"image": IMAGE, **spec}, key)
        if answer is None or answer.status == 503:
            self.promised.is_doubtful = True
        elif self._is_over_quota(answer, UsedJobs):
            pass
        elif answer.status == 409:
            assert answer.envelope["code"] in ("job_name_taken", "idempotency_key_reused")
        else:
            assert answer.status == (200 if "Idempotent-Replayed" in answer.headers else 201)
            job_id = answer.data["id"]
            if answer.status == 201:
                is_taken = spec["name"] in self.promised.jobs.values()
                assert not is_taken or self.promised.is_doubtful
            self.promised.jobs[job_id] = answer.data["name"]
            self.promised.versions[job_id] = answer.data["version"]
            if key is not None:
                assert self.promised.keys.setdefault((PROJECT, key), job_id) == job_id

    def _version(self, data: st.DataObject, job: str) -> int | None:
        """The version for If-Match: none, the last known one, or one that never existed."""
        known = self.promised.versions[job]
        return data.draw(pick(None, None, known, known, known + 1000), label="If-Match")

    def _is_conflict(self, answer: Answer, job: str, version: int | None) -> bool:
        """Whether the answer is a 412, which must be right: the job has another version."""
        known = self.promised.versions[job]
        if answer.status != 412:
            assert answer.status == 404 or version in (None, known), "a wrong version was taken"
            return False
        assert version is not None and answer.data["version"] != version
        assert version != known or job in self.promised.renamed
        self.promised.versions[job] = answer.data["version"]
        return True

    def update(self, fault: Fault, job: str, patch: dict[str, Any], version: int | None) -> None:
        answer = self._call(fault, "PATCH", f"/jobs/{job}", patch, version=version)
        if answer is None or answer.status == 503:
            self.promised.renamed.add(job)
            self.promised.is_doubtful = True
        elif self._is_conflict(answer, job, version):
            pass
        elif answer.status == 200:
            assert answer.data["version"] >= self.promised.versions[job]
            self.promised.versions[job] = answer.data["version"]
            self.promised.jobs[job] = answer.data["name"]
        else:
            self._gone_or(answer, job, {409})

    def delete(self, fault: Fault, job: str, version: int | None) -> None:
        answer = self._call(fault, "DELETE", f"/jobs/{job}", version=version)
        if answer is None or answer.status == 503:
            self.promised.doubtful.add(job)
            self.promised.is_doubtful = True
        elif not self._is_conflict(answer, job, version):
            self._gone_or(answer, job, {200})
            self.promised.jobs.pop(job, None)
            self.promised.doubtful.discard(job)

    def trigger(self, fault: Fault, job: str, key: str | None) -> None:
        answer = self._call(fault, "POST", f"/jobs/{job}/runs", None, key)
        if answer is None or answer.status == 503:
            return
        if self._is_over_quota(answer, UsedRuns):
            return
        if answer.status not in (200, 201):
            self._gone_or(answer, job, set())
            return
        run_id = answer.data["id"]
        self.promised.runs[run_id] = job
        if key is not None:
            assert self.promised.keys.setdefault((job, key), run_id) == run_id

    def _is_over_quota(self, answer: Answer, model: type[Usage]) -> bool:
        """Whether the answer says so, which must be right."""
        if answer.status != 409 or answer.envelope["code"] != "quota_exceeded":
            return False
        on = self.world.on
        quota = on.settings.max_jobs if model is UsedJobs else on.settings.max_runs_in_flight
        assert 0 < quota <= on.usage_table.get(model, WORKSPACE).number
        return True

    def cancel(self, fault: Fault, run: str, path: str) -> None:
        answer = self._call(fault, "POST", f"{path}/cancel")
        if answer is None or answer.status == 503:
            return
        self._gone_or(answer, self.promised.runs[run], {200, 409})
        if answer.status == 200:
            self.promised.cancelled.add(run)

    def read(self, fault: Fault, path: str) -> None:
        answer = self._call(fault, "GET", path)
        if answer is not None and answer.status not in (200, 503):
            self._gone_or(answer, path.split("/")[2], set())

    def _gone_or(self, answer: Answer, job: str, others: set[int]) -> None:
        """The status is one of `others`, or a 404 for a job that is or may be deleted."""
        if answer.status in others:
            return
        assert answer.status == 404, answer.envelope
        assert job not in self.promised.jobs or job in self.promised.doubtful
        self.promised.jobs.pop(job, None)
