"""The API as Python: a method for each operation, lists as iterators over their pages."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

from jobyard.errors import JobyardError, Refused
from jobyard.transport import Answer, Notify, Transport

Json = dict[str, Any]
Query = list[tuple[str, str]]

_JOB_ID = re.compile(r"job_[0-7][0-9A-HJKMNP-TV-Z]{25}")
_RUN_ID = re.compile(r"run_[0-7][0-9A-HJKMNP-TV-Z]{25}")
ENDED = frozenset({"succeeded", "failed", "cancelled"})
PAGE = 1_000
"""Things asked for in one request of a list that is read to its end."""


def is_job_id(text: str) -> bool:
    return _JOB_ID.fullmatch(text) is not None


def is_run_id(text: str) -> bool:
    return _RUN_ID.fullmatch(text) is not None


def is_over(run: Mapping[str, Any]) -> bool:
    """Nothing about the run changes any more; a cancelled run's container has stopped too."""
    return run["status"] in ENDED and run["finished_at"] is not None


class Client:
    """
    One project of one workspace, with one token.

    Every method raises Refused for an error of the API and Unreachable where no answer came.
    Answers are `data` of the API's envelope, as it came.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        workspace: str,
        project: str,
        notify: Notify = lambda message: None,
    ) -> None:
        """`notify` is called with a sentence when a request is repeated."""
        self.transport = Transport(url, token, notify=notify)
        self.url = self.transport.url
        self.workspace = workspace
        self.project = project
        self._base = f"/workspaces/{quote(workspace, safe='')}/projects/{quote(project, safe='')}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.transport.close()

    # jobs

    def jobs(
        self,
        *,
        name: str | None = None,
        tags: Sequence[str] = (),
        include_activity: bool = False,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Jobs, newest first."""
        query = _query(name=name, include="activity" if include_activity else None)
        query += [("tag", tag) for tag in tags]
        return self._pages("/jobs", "jobs", query, limit)

    def get_job(self, job_id: str) -> Json:
        return self._data("GET", f"/jobs/{_id(job_id)}")

    def find_job(self, name_or_id: str) -> Json:
        """The job with that id, or with exactly that name; Refused (404) where there is none."""
        if is_job_id(name_or_id):
            return self.get_job(name_or_id)
        for job in self.jobs(name=name_or_id, limit=1):
            return job
        raise Refused(
            404, f"There is no job named {name_or_id!r} in {self.workspace}/{self.project}."
        )

    def create_job(self, spec: Mapping[str, Any], *, key: str | None = None) -> Json:
        """`key` is the Idempotency-Key; without one it is made here."""
        return self._data("POST", "/jobs", body=spec, headers=_key(key))

    def update_job(
        self, job_id: str, changes: Mapping[str, Any], *, if_version: int | None = None
    ) -> Json:
        """
        Change fields: an omitted one stays, null resets to its default.

        With `if_version` Refused (412, `version_conflict`) if the job is another version now;
        not so where an earlier try, whose answer was lost, made just this change.
        """
        try:
            return self._data(
                "PATCH", f"/jobs/{_id(job_id)}", body=changes, headers=_if_match(if_version)
            )
        except Refused as refused:
            if refused.status != 412 or not refused.was_repeated:
                raise
            job = self.get_job(job_id)
            if any(job.get(name) != value for name, value in changes.items()):
                raise
            return job

    def delete_job(self, job_id: str, *, if_version: int | None = None) -> None:
        try:
            self._call("DELETE", f"/jobs/{_id(job_id)}", headers=_if_match(if_version))
        except Refused as refused:
            # gone already: by the earlier try, whose answer was lost
            if refused.status != 404 or not refused.was_repeated:
                raise

    def job_status(self, job_id: str) -> Json:
        return self._data("GET", f"/jobs/{_id(job_id)}/status")

    # runs

    def trigger(
        self,
        job_id: str,
        *,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Json:
        """Start a run, with another command or more variables if given."""
        asked = {"command": list(command) if command else None, "env": dict(env) if env else None}
        body = {name: value for name, value in asked.items() if value is not None}
        path = f"/jobs/{_id(job_id)}/runs"
        return self._data("POST", path, body=body or None, headers=_key(key))

    def job_runs(
        self,
        job_id: str,
        *,
        status: str | None = None,
        trigger: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """A job's runs, newest first."""
        query = _query(status=status, trigger=trigger)
        return self._pages(f"/jobs/{_id(job_id)}/runs", "runs", query, limit)

    def project_runs(
        self,
        *,
        status: str | None = None,
        trigger: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Runs of all jobs, newest first; see overview.py for an API that lacks this."""
        query = _query(status=status, trigger=trigger, since=since, until=until)
        return self._pages("/runs", "runs", query, limit)

    def get_run(self, job_id: str, run_id: str) -> Json:
        """A run as it is now: the API asks AWS if it is in flight."""
        return self._data("GET", _run(job_id, run_id))

    def cancel_run(self, job_id: str, run_id: str) -> None:
        try:
            self._call("POST", f"{_run(job_id, run_id)}/cancel")
        except Refused as refused:
            was_ours = refused.code == "run_already_finished" and refused.was_repeated
            if not (was_ours and self.get_run(job_id, run_id)["status"] == "cancelled"):
                raise

    # what runs leave behind

    def job_logs(self, job_id: str, **query: Any) -> Json:
        """A page of all runs' lines; `query` is since, start, end, limit, filter, cursor."""
        return self._data("GET", f"/jobs/{_id(job_id)}/logs", query=_query(**query))

    def run_logs(self, job_id: str, run_id: str, **query: Any) -> Json:
        """A page of a run's lines; `query` as for a job's. following.py reads all of them."""
        return self._data("GET", f"{_run(job_id, run_id)}/logs", query=_query(**query))

    def follow_logs(self, job_id: str, run_id: str) -> Iterator[Json]:
        """Every line of a run, once and in order, as they come, until the run is over."""
        from jobyard.following import RunFollower

        follower = RunFollower(self, self.get_run(job_id, run_id))
        return follower.lines()

    def job_metrics(self, job_id: str, **query: Any) -> Json:
        """`query` is names, since, start, end."""
        return self._data("GET", f"/jobs/{_id(job_id)}/metrics", query=_query(**query))

    def run_metrics(self, job_id: str, run_id: str, **query: Any) -> Json:
        return self._data("GET", f"{_run(job_id, run_id)}/metrics", query=_query(**query))

    # what is to come, and what it costs

    def upcoming(self, *, until: str | None = None, limit: int | None = None) -> Json:
        return self._data("GET", "/upcoming", query=_query(until=until, limit=limit))

    def job_upcoming(
        self, job_id: str, *, until: str | None = None, limit: int | None = None
    ) -> Json:
        query = _query(until=until, limit=limit)
        return self._data("GET", f"/jobs/{_id(job_id)}/upcoming", query=query)

    def schedule(self, expression: str, timezone: str = "UTC", *, count: int | None = None) -> Json:
        """What a schedule means: in words, and its next slots."""
        query = _query(expression=expression, timezone=timezone, count=count)
        return self._data("GET", "/schedule", query=query)

    def cost(self, *, month: str | None = None) -> Json:
        return self._data("GET", "/cost", query=_query(month=month))

    def audit(
        self, *, since: str | None = None, until: str | None = None, limit: int | None = None
    ) -> Iterator[Json]:
        """Who changed what, newest first."""
        return self._pages("/audit", "entries", _query(since=since, until=until), limit)

    # without a project

    def health(self) -> None:
        self.transport.call("GET", "/health")

    def openapi(self) -> Json:
        return dict(self.transport.call("GET", "/openapi.json").data)

    def jobs_schema(self) -> Json:
        """The JSON Schema of jobs.yaml."""
        return dict(self.transport.call("GET", "/jobs.schema.json").data)

    def _call(self, method: str, path: str, **sent: Any) -> Answer:
        return self.transport.call(method, self._base + path, **sent)

    def _data(self, method: str, path: str, **sent: Any) -> Json:
        data = self._call(method, path, **sent).data
        if not isinstance(data, dict):
            raise JobyardError(f"the API answered {method} {path} without data")
        return data

    def _pages(self, path: str, items: str, query: Query, limit: int | None) -> Iterator[Json]:
        left, cursor = limit, None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            page = self._data("GET", path, query=[*query, *_query(limit=size, cursor=cursor)])
            found: Iterable[Json] = page[items]
            for item in found:
                yield item
                left = None if left is None else left - 1
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _query(**values: Any) -> Query:
    return [(name, str(value)) for name, value in values.items() if value is not None]


def _id(text: str) -> str:
    return quote(text, safe="")


def _run(job_id: str, run_id: str) -> str:
    return f"/jobs/{_id(job_id)}/runs/{_id(run_id)}"


def _key(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid.uuid4().hex}


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
