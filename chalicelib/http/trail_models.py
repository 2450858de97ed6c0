"""What answers say about who did something: models for GET /openapi.json (see `answer_models`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.http.answer_types import Answered, Cursor, JobId, Time


class ByToken(Answered):
    """Whoever holds that token."""

    kind: Literal["token"]
    id: str
    name: str


class BySchedule(Answered):
    """A slot of the job's schedule."""

    kind: Literal["schedule"]


class AuditEntry(Answered):
    """Somebody made, changed or removed something. Values of fields are not recorded."""

    at: Time
    token_id: Annotated[
        str | None,
        Field(description="Null: a CloudFormation stack or the operator, who has no token."),
    ]
    token_name: Annotated[str, Field(description="The token's name, or who acted without one.")]
    action: Literal[
        "create_job", "update_job", "delete_job", "cancel_run", "create_token", "revoke_token"
    ]
    target: Annotated[str, Field(description="Id of the job, the run or the token.")]
    target_name: Annotated[
        str, Field(description="What it was called after the change; of a run its job's name.")
    ]
    job_id: Annotated[JobId | None, Field(description="Null for a token.")]
    fields: Annotated[list[str], Field(description="Names of what was set or changed, sorted.")]


class AuditEntryList(Answered):
    """Newest first."""

    entries: list[AuditEntry]
    next_cursor: Cursor
