"""From a request of CloudFormation's about a `Custom::JobyardJob` to the answer it waits for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalicelib import log
from chalicelib.cloud import aws, response_url
from chalicelib.domain import stack_request
from chalicelib.domain.errors import BadRequest, JobyardError, Unavailable
from chalicelib.domain.stack_request import CREATE, StackRequest
from chalicelib.http.api import PROJECT

if TYPE_CHECKING:
    from chalicelib.system import System
    from chalicelib.tables.records import Job

MAX_BYTES = 4096
"""Of an answer ("Custom resource response objects", CloudFormation user guide)."""
ANSWER_SECONDS = response_url.SECONDS + 10.0
"""Of the function's time-out: for answering, and for an AWS call that was begun just before."""


def handle(event: Mapping[str, Any], context: Any, system: System) -> dict[str, Any]:
    """
    Do what CloudFormation asks, and answer it whatever comes of it.

    1. Act. What AWS throttles is tried again until ANSWER_SECONDS of the function's time are left.
    2. Answer: success, or a failure with the API's own message, also for a defect of Jobyard's.

    Where the process dies, or the answer does not get out, Lambda delivers the event again, and
    all is done again: see StackJobs for why that is harmless.
    """
    url = str(event.get("ResponseURL") or "")
    request = stack_request.read(event)
    line = {"kind": request.kind, "stack": request.stack_id, "resource": request.logical_id}
    try:
        system.response_url.check(url)
    except BadRequest as refused:
        log.warning("stack request refused", reason=refused.message, **line)
        return {"status": "refused"}
    with system.clock.deadline(context.get_remaining_time_in_millis() / 1000 - ANSWER_SECONDS):
        answer = _answer(request, context, system)
    line |= {"status": answer["Status"], "job_id": answer["PhysicalResourceId"]}
    try:
        system.response_url.put(url, _fitting(answer))
    except BadRequest as refused:
        # repeating it cannot help: the URL is good for two hours, CloudFormation waits for one
        log.warning("stack request not answered", reason=refused.message, **line)
        return {"status": "refused"}
    log.info("stack request answered", **line)
    return {"status": answer["Status"]}


def _answer(request: StackRequest, context: Any, system: System) -> dict[str, Any]:
    try:
        job = _applied(request, system)
    except JobyardError as refused:
        log.info("stack request failed", code=refused.code, resource=request.logical_id)
        return _failed(request, refused.message)
    except Exception:  # noqa: BLE001 - the last resort: CloudFormation would wait for an hour
        log.exception("a defect", doing="answer a stack request", resource=request.logical_id)
        where = f"{getattr(context, 'function_name', 'the function')} has written"
        return _failed(
            request,
            f"Jobyard failed to do this; it is a defect. See what {where} under the request id "
            f"{getattr(context, 'aws_request_id', '')}.",
        )
    answer = _envelope(request, "SUCCESS", job.job_id if job else request.physical_id)
    return answer if job is None else {**answer, "Data": _attributes(job, system)}


def _applied(request: StackRequest, system: System) -> Job | None:
    """Raises JobyardError; Unavailable only once the time is up."""
    tried: JobyardError = Unavailable("There was no time to do this. Try again.")
    for _ in system.clock.tries(None, first=1.0, longest=10.0):
        try:
            with aws.translated("do what the stack asks"):
                return system.stack_jobs.apply(request)
        except Unavailable as unavailable:
            log.warning("stack request put off", reason=unavailable.message)
            tried = unavailable
    raise tried


def _failed(request: StackRequest, reason: str) -> dict[str, Any]:
    """
    A refusal, under the id that CloudFormation names in what follows.

    A Create that failed has an id that its Delete recognises. An Update that failed keeps the id:
    with another one CloudFormation would delete the job that it has.
    """
    physical_id = request.not_created if request.kind == CREATE else request.physical_id
    return {**_envelope(request, "FAILED", physical_id), "Reason": reason}


def _envelope(request: StackRequest, status: str, physical_id: str) -> dict[str, Any]:
    return {
        "Status": status,
        "PhysicalResourceId": physical_id or request.not_created,
        "StackId": request.stack_id,
        "RequestId": request.request_id,
        "LogicalResourceId": request.logical_id,
    }


def _attributes(job: Job, system: System) -> dict[str, Any]:
    """What `Fn::GetAtt` answers."""
    project = PROJECT.format(workspace_id=job.workspace_id, project_id=job.project_id)
    return {
        "Id": job.job_id,
        "Path": f"{project}/jobs/{job.job_id}",
        "Version": str(job.version),
        "LogGroupName": system.settings.log_group(job.job_id),
        "TaskDefinitionFamily": system.settings.family(job.job_id),
    }


def _fitting(answer: dict[str, Any]) -> bytes:
    """The answer as JSON, its reason cut to what CloudFormation takes."""
    body, reason = _encoded(answer), answer.get("Reason", "")
    while len(body) > MAX_BYTES and reason:
        reason = reason[: -1 - (len(body) - MAX_BYTES) // 8]
        body = _encoded({**answer, "Reason": f"{reason}…"})
    return body


def _encoded(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
