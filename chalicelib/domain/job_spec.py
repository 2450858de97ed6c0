"""
What a request may ask for: JSON bodies as validated models (pure; queries are in queries.py).

Every rule of a job is here, those across fields too, so that one answer names all that is wrong.
What a workspace may name (roles, secrets) depends on whose job it is: the validation context is a
`fields.Tenancy`, and without one no role and no secret is allowed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from chalicelib.domain import body_types, fields, notices
from chalicelib.domain.errors import FieldError, InvalidFields
from chalicelib.domain.validation import validate

CONTAINER_FIELDS = {"image", "entrypoint", "command", "env", "secrets", "cpu", "memory_mib"}
CONTAINER_FIELDS |= {"architecture", "task_role_arn"}
"""What is part of the task definition: a change of any needs a new revision."""


def _nulls_allowed(schema: dict[str, Any]) -> None:
    """
    Say in the schema that null is allowed in every field that has a default.

    The schema has no `default` that is an empty object or list: client generators support only null
    for such a type. The field may be left out all the same.
    """
    required = schema.get("required", ())
    for name, part in schema["properties"].items():
        if part.get("default") in ({}, []):
            del part["default"]
        kinds = part.get("anyOf", [])
        if name not in required and {"type": "null"} not in kinds:
            value = {key: part.pop(key) for key in list(part) if key not in _ANNOTATIONS}
            part["anyOf"] = [value, {"type": "null"}]


_ANNOTATIONS = frozenset({"title", "description", "default"})


class _Body(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        defer_build=True,
        json_schema_extra=_nulls_allowed,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        required = {"name", "image"}
        return {
            name: value for name, value in data.items() if value is not None or name in required
        }


class JobSpec(_Body):
    """A job as its owner wrote it; null means the default in every field that has one."""

    # complete and valid: model_dump(mode="json") is what is stored

    name: Annotated[
        str,
        Field(min_length=1, max_length=128, description="Printable; unique in its project."),
        AfterValidator(fields.label),
    ]
    image: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="An OCI image reference.",
            json_schema_extra=body_types.IMAGE_SCHEMA,
        ),
        AfterValidator(fields.image),
    ]
    entrypoint: body_types.Arguments | None = Field(
        None, description="Replaces the image's ENTRYPOINT; null: the image's own."
    )
    command: body_types.Command | None = Field(
        None,
        description="Replaces the image's CMD; null: the image's own. A string is split as a shell "
        "splits words, and no shell is run.",
    )
    env: body_types.Env = {}
    secrets: dict[
        body_types.VariableName,
        Annotated[str, Field(max_length=2048, json_schema_extra=body_types.SECRET_SCHEMA)],
    ] = Field(
        {},
        description="Name to ARN of a Secrets Manager secret or an SSM parameter, under the "
        "prefixes that the stage allows.",
        json_schema_extra=body_types.NAMES_SCHEMA,
    )
    tags: Annotated[
        list[
            Annotated[
                str, Field(json_schema_extra=body_types.TAG_SCHEMA), AfterValidator(fields.tag)
            ]
        ],
        Field(
            max_length=20, description="`key=value`, or a key alone; AWS tags of each run's task."
        ),
        AfterValidator(fields.distinct_tags),
    ] = []
    timezone: Annotated[
        str, Field(description="An IANA name."), AfterValidator(fields.timezone)
    ] = "UTC"
    schedule: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="Five-field cron, or a macro such as @daily; null: on demand."
    )
    paused: bool = Field(False, description="The schedule does not fire; manual runs still work.")
    concurrency_policy: Literal["allow", "forbid", "replace", "queue"] = Field(
        "allow",
        description="What a due slot does while max_concurrent_runs are in flight: start, be "
        "skipped, replace the oldest, or wait for its turn; `queue` lets triggered runs wait too.",
    )
    max_concurrent_runs: Annotated[int, Field(ge=1, le=1_000), body_types.WHOLE] = Field(
        1, description="How many may be in flight before forbid, replace and queue act."
    )
    jitter_seconds: body_types.Jitter = 0
    starting_deadline_seconds: Annotated[int, Field(ge=300, le=86_400), body_types.WHOLE] = Field(
        3_600, description="A start noticed later than this is recorded as missed."
    )
    cpu: Annotated[
        float,
        BeforeValidator(fields.vcpu),
        # no enum: client generators support none with fractions
        WithJsonSchema(
            {
                "type": "number",
                "minimum": 0.25,
                "maximum": 16,
                "description": "vCPU: 0.25, 0.5, 1, 2, 4, 8 or 16.",
            }
        ),
    ] = 0.25
    memory_mib: Annotated[
        int, Field(json_schema_extra={"minimum": 512, "maximum": 122_880}), body_types.WHOLE
    ] = Field(512, validate_default=True, description="One of those that Fargate has for cpu.")
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    capacity: body_types.Capacity = "on_demand"
    task_role_arn: (
        Annotated[str, Field(max_length=700, json_schema_extra=body_types.ROLE_SCHEMA)] | None
    ) = Field(
        None,
        description="An IAM role under /jobyard/{stage}/{workspace_id}/ for the container; null: "
        "the stage's, which may do nothing unless its operator says otherwise.",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=1_209_600), body_types.WHOLE] = Field(
        86_400, description="Per attempt, from its task's start."
    )
    max_retries: Annotated[int, Field(ge=0, le=10), body_types.WHOLE] = 0
    notify: Annotated[
        list[notices.Kind],
        Field(
            json_schema_extra={"uniqueItems": True},
            description="What people are told of, where the stage has an event bus: `failing`, the "
            "first failure after a success; `recovered`, the success that follows; "
            "`every_failure`; `missed`, slots that were not started in time.",
        ),
        AfterValidator(fields.distinct),
    ] = list(notices.DEFAULT)
    managed_by: (
        Annotated[str, Field(min_length=1, max_length=128), AfterValidator(fields.label)] | None
    ) = Field(None, description="Which manifest made the job, in its own words; null: none.")

    @field_validator("secrets")
    @classmethod
    def _secrets_are_allowed(cls, secrets: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        errors = []
        for name, arn in secrets.items():
            try:
                fields.secret_arn(arn, info.context)
                if name in info.data.get("env", {}):
                    raise ValueError("is in env too: one name, one place")
            except ValueError as error:
                errors.append(_line((name,), error))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return secrets

    @field_validator("schedule")
    @classmethod
    def _schedule_can_fire(cls, expression: str | None, info: ValidationInfo) -> str | None:
        from chalicelib.domain import schedule  # at first use: most requests carry none

        if expression is None:
            return None
        # an invalid zone is an error of its own; then only the expression is checked here
        return schedule.parse(expression, info.data.get("timezone", "UTC")).expression

    @field_validator("memory_mib")
    @classmethod
    def _memory_goes_with_the_cpu(cls, memory_mib: int, info: ValidationInfo) -> int:
        cpu = info.data.get("cpu")  # absent: invalid itself, and reported as such
        return memory_mib if cpu is None else fields.memory_for(memory_mib, cpu)

    @field_validator("task_role_arn")
    @classmethod
    def _role_is_the_workspace_s(cls, arn: str | None, info: ValidationInfo) -> str | None:
        return None if arn is None else fields.task_role_arn(arn, info.context)


JobCreate = JobSpec
"""A new job has the rules of any job."""


class JobPatch(BaseModel):
    """
    The fields of a job to change; `apply_patch` validates them together with those that stay.

    It takes any object, so that unknown fields are named along with everything else.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    changes: dict[str, Any]
    tenancy: Any

    @model_validator(mode="before")
    @classmethod
    def _any_object(cls, data: Any, info: ValidationInfo) -> Any:
        return {"changes": data, "tenancy": info.context} if isinstance(data, dict) else data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = JobSpec.model_json_schema()
        del schema["required"]
        for part in schema["properties"].values():
            part.pop("default", None)  # an absent field keeps its value: send no default
        return schema | {"title": "JobPatch", "description": "The fields of a job to change."}


def apply_patch(current: JobSpec, patch: JobPatch) -> JobSpec:
    """
    `current` with the fields of `patch`: an omitted one stays, null resets it to its default.

    InvalidFields names all that is wrong with the outcome.
    """
    return validate(JobSpec, current.model_dump() | patch.changes, patch.tenancy)


def stored_spec(stored: dict[str, Any]) -> JobSpec:
    """
    The spec that `model_dump(mode="json")` stored, taken as valid.

    It was validated when it was written; a rule that came later must not make a job unreadable.
    """
    return JobSpec.model_construct(**stored)


class RunOverrides(_Body):
    """
    What one run does differently from its job; null and absent mean no difference.

    `runs.trigger` checks ECS's limit, once Jobyard's own variables are added.
    """

    command: body_types.Command | None = None
    env: body_types.Env = {}


def check_overrides(overrides: RunOverrides, secrets: dict[str, str]) -> None:
    """InvalidFields if a variable of the run is a secret of its job: ECS refuses such a task."""
    taken = [name for name in overrides.env if name in secrets]
    if taken:
        raise InvalidFields(
            [FieldError(f"env.{name}", "is a secret of the job: change the job") for name in taken]
        )


def _line(loc: tuple[str, ...], error: ValueError) -> InitErrorDetails:
    return InitErrorDetails(
        type=PydanticCustomError("invalid", "{reason}", {"reason": str(error)}),
        loc=loc,
        input=None,
    )
