"""
The project for an agent, by the Model Context Protocol: jobs, runs, logs and status as tools.

What changes something (trigger, cancel) is there only where it was allowed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from jobyard import __version__, overview
from jobyard.client import Client, Json
from jobyard.errors import JobyardError, Refused

LAST_LINES = 20
MAX_LINES = 1_000
MAX_RUNS = 200
READS = ToolAnnotations(read_only_hint=True, open_world_hint=True)
ACTS = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True)
"""Neither is harmless: a run does whatever its container does, and a cancel stops it halfway."""

INSTRUCTIONS = (
    "Jobyard runs containers to completion, on demand or on a cron schedule. A job is what to run; "
    "a run is one execution of it, in up to several attempts. Jobs are named by name or id, runs "
    "by id. A failed run's `error` has a code, AWS's own message and a hint; read its last lines "
    "before concluding. Times are UTC."
)


def make(client: Client, *, may_run: bool) -> MCPServer:
    """A server of the client's project."""
    server = MCPServer("jobyard", version=__version__, instructions=INSTRUCTIONS)
    tools = Tools(client)
    for read in (tools.list_jobs, tools.get_job, tools.list_runs, tools.get_run, tools.get_logs):
        server.tool(annotations=READS)(_said(read))
    server.tool(annotations=READS)(_said(tools.get_status))
    if may_run:
        for act in (tools.trigger_run, tools.cancel_run):
            server.tool(annotations=ACTS)(_said(act))
    return server


class Tools:
    """What an agent may call; the docstrings are what it reads."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list_jobs(self, tag: str | None = None) -> Json:
        """List the jobs of the project: what each runs and when."""
        return {"jobs": list(self._client.jobs(tags=[tag] if tag else []))}

    def get_job(self, job: str) -> Json:
        """Get a job, by its name or id, as it is configured."""
        return self._client.find_job(job)

    def list_runs(self, job: str | None = None, status: str | None = None, limit: int = 20) -> Json:
        """List the newest runs of a job, or of all jobs, newest first.

        `status` is one of pending, running, succeeded, failed, cancelled.
        """
        most = max(1, min(limit, MAX_RUNS))
        if job is None:
            return {"runs": overview.runs(self._client, status=status, limit=most)}
        found = self._client.find_job(job)
        return {"runs": list(self._client.job_runs(found["id"], status=status, limit=most))}

    def get_run(self, run_id: str) -> Json:
        """Get a run with its error, the hint to it, and the last lines of its output."""
        run = overview.find_run(self._client, run_id)
        page = self._client.run_logs(run["job_id"], run["id"], limit=LAST_LINES)
        return {"run": run, "last_lines": [line["message"] for line in page["logs"]]}

    def get_logs(
        self,
        job: str | None = None,
        run_id: str | None = None,
        contains: str | None = None,
        since: str | None = None,
        limit: int = 100,
    ) -> Json:
        """Get the newest lines of output of a run, or of all runs of a job.

        Give `run_id` or `job`. `contains` keeps only lines with that text; `since` is a duration
        back from now, such as 6h, or an RFC 3339 time.
        """
        query = {"filter": contains, "since": since, "limit": max(1, min(limit, MAX_LINES))}
        if run_id is not None:
            run = overview.find_run(self._client, run_id)
            page = self._client.run_logs(run["job_id"], run["id"], **query)
        elif job is not None:
            page = self._client.job_logs(self._client.find_job(job)["id"], **query)
        else:
            raise ToolError("give run_id, or job")
        return {"logs": page["logs"]}

    def get_status(self, job: str | None = None) -> Json:
        """Get the state of a job (latest run, counts, next run), or of all jobs, failing first."""
        if job is not None:
            return self._client.job_status(self._client.find_job(job)["id"])
        return {"jobs": [one.as_dict() for one in overview.activity(self._client)]}

    def trigger_run(
        self, job: str, command: list[str] | None = None, env: dict[str, str] | None = None
    ) -> Json:
        """Start a run of a job now, with another command or more variables if given."""
        found = self._client.find_job(job)
        return {"run": self._client.trigger(found["id"], command=command, env=env)}

    def cancel_run(self, run_id: str) -> Json:
        """Cancel a run that is pending or running: its container is stopped."""
        run = overview.find_run(self._client, run_id)
        self._client.cancel_run(run["job_id"], run["id"])
        return {"run": self._client.get_run(run["job_id"], run["id"])}


def _said(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Give the API's error to the agent, with each invalid field."""

    @functools.wraps(tool)
    def called(*args: Any, **given: Any) -> Any:
        try:
            return tool(*args, **given)
        except Refused as refused:
            fields = "".join(f"\n{one.field}: {one.message}" for one in refused.errors)
            raise ToolError(f"{refused.message}{fields}") from refused
        except JobyardError as error:
            raise ToolError(str(error)) from error

    return called
