"""What CloudFormation can ask of jobs: create, update, delete a `Custom::JobyardJob`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.domain import ids, stack_request
from chalicelib.domain.errors import BadRequest, Conflict, NotFound
from chalicelib.domain.stack_request import CREATE, DELETE, UPDATE, StackRequest
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import Job, JobKey
from chalicelib.usecases.idempotency import Once, body_hash
from chalicelib.usecases.jobs import Jobs

if TYPE_CHECKING:
    from chalicelib.domain.job_spec import JobSpec


NOTHING = "nothing"
"""What the record of an Idempotency-Key has in place of an id."""


@dataclass(slots=True)
class StackJobs:
    """
    The jobs that are resources of stacks.

    Lambda may deliver a request twice, late, and again after a process has died in the middle. So
    each step can be repeated, and a request that has come to its end leaves a record under its id
    (an Idempotency-Key, for 24 hours): delivered again, even after later requests, it changes
    nothing.
    """

    jobs: Jobs
    jobs_table: JobsTable
    settings: Settings
    clock: Clock

    def apply(self, request: StackRequest) -> Job | None:
        """Do what is asked: the job, or None after a Delete. Raises JobyardError."""
        if request.kind == DELETE:
            self._delete(request)
            return None
        if request.kind not in (CREATE, UPDATE):
            raise BadRequest(f"Jobyard knows no request of the type {request.kind[:64]!r}.")
        workspace = str(request.properties.get("Workspace", ""))
        spec = stack_request.spec(request, self.settings.tenancy(workspace))
        assert request.project is not None  # else `spec` has refused
        if request.kind == CREATE:
            once = Once(request.key, body_hash(spec))
            job, _ = self.jobs.create(request.project, spec, once, request.actor)
            return job
        return self._update(request, request.project, spec)

    def _update(self, request: StackRequest, project: str, spec: JobSpec) -> Job:
        """
        Update a job in place, or make another one where workspace, project or name have changed:
        CloudFormation deletes the one before, by a request of its own, once the stack is updated.

        1. A job that somebody deleted is made again, else the stack could not even be rolled back.
        2. Rolling back a replacement finds the name taken by the job before it, which is still
           there, and updates that one.
        3. The replacement that is rolled back may have died after it made a job, and nobody knows
           that job's id: it is found by its name and its owner, and deleted.
        """
        once = Once(request.key, body_hash(spec))
        if (done := self._made_before(project, once)) is not None:
            return done
        job = self._in_place(request, project, spec) or self._other(request, project, spec, once)
        if request.old_identity != request.identity:
            self._delete_unknown(request, job)
        self._note(project, once, job.job_id)
        return job

    def _made_before(self, project: str, once: Once) -> Job | None:
        key = self.jobs_table.key(project, once.key_id)
        made = once.made_by(key, self.clock.now())
        return None if made is None else self.jobs.get(project, made)

    def _in_place(self, request: StackRequest, project: str, spec: JobSpec) -> Job | None:
        is_known = ids.JOB.fullmatch(request.physical_id)
        if not is_known or request.identity != request.old_identity:
            return None
        try:
            return self._changed(request, project, request.physical_id, spec)
        except NotFound:
            return None

    def _changed(self, request: StackRequest, project: str, job_id: str, spec: JobSpec) -> Job:
        from chalicelib.domain.job_spec import JobPatch
        from chalicelib.domain.validation import validate

        tenancy = self.settings.tenancy(ids.of_project(project)[0])
        patch = validate(JobPatch, spec.model_dump(), tenancy)
        return self.jobs.update(project, job_id, patch, request.actor)

    def _other(self, request: StackRequest, project: str, spec: JobSpec, once: Once) -> Job:
        try:
            job, _ = self.jobs.create(project, spec, once, request.actor)
        except Conflict as conflict:
            owned = self._owned(project, spec.name, request.owner)
            if conflict.code != "job_name_taken" or owned is None:
                raise
            return self._changed(request, project, owned.job_id, spec)
        return job

    def _owned(self, project: str, name: str, owner: str) -> Job | None:
        """The job of that name, if this very resource made it."""
        found = self.jobs_table.name_owner(project, name)
        job = self.jobs_table.get(project, found.job_id) if found else None
        is_ours = job is not None and job.is_active and job.spec.get("managed_by") == owner
        return job if is_ours else None

    def _delete_unknown(self, request: StackRequest, current: Job) -> None:
        """A job under the old identity that CloudFormation does not know of."""
        project, name = request.old_project, str(request.old_identity[-1])
        left = self._owned(project, name, request.owner) if project else None
        if left is not None and left.job_id not in (request.physical_id, current.job_id):
            self._gone(request, left.pk, left.job_id)

    def _delete(self, request: StackRequest) -> None:
        """
        Delete the job, wherever it is; success too where there is none.

        A Create that failed may have made a job all the same, where an answer of AWS's was lost.
        Its key says so. Where it made none, its key is used up here, so that the Create cannot
        make one if it is delivered once more. A Create that never answered has left an id that
        CloudFormation made up: its job is found by its name and its owner.
        """
        if ids.JOB.fullmatch(request.physical_id):
            job = self.jobs_table.of_ids([request.physical_id])[request.physical_id]
            if job is not None:
                self._gone(request, job.pk, job.job_id)
            return
        project = request.project
        if project is None:
            return  # no request with such properties has made anything
        if request.key_of_failed_create is not None:
            self._delete_made(request, project)
            return
        owned = self._owned(project, str(request.identity[-1]), request.owner)
        if owned is not None:
            self._gone(request, project, owned.job_id)

    def _delete_made(self, request: StackRequest, project: str) -> None:
        """What the Create that failed has made, or may still make."""
        assert request.key_of_failed_create is not None  # the caller has looked
        once = Once(request.key_of_failed_create, "")
        self._note(project, once, NOTHING)
        key = self.jobs_table.key(project, once.key_id)
        if key is not None and key.made != NOTHING:
            self._gone(request, project, key.made)

    def _gone(self, request: StackRequest, project: str, job_id: str) -> None:
        try:
            self.jobs.delete(project, job_id, request.actor)
        except NotFound:
            log.info("job of a stack was gone already", job_id=job_id)

    def _note(self, project: str, once: Once, made: str) -> None:
        """The request has come to its end; what is recorded of it already stays."""
        now = self.clock.now()
        self.jobs_table.use_key(once.record(JobKey, project, made, now), now)
