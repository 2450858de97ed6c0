"""The types that bodies are made of: a grammar of fields.py, and what JSON Schema can say of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.config import JsonDict
from pydantic.json_schema import WithJsonSchema

from chalicelib.domain import fields
from chalicelib.domain.jitter import LONGEST

IMAGE_SCHEMA: JsonDict = {"pattern": f"^(?:{fields.IMAGE})$"}
NAMES_SCHEMA: JsonDict = {"propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}}
TAG_SCHEMA: JsonDict = {"pattern": "^[A-Za-z0-9_.:/+@-][A-Za-z0-9_.:/=+@-]{0,63}$"}
LINES_SCHEMA: JsonDict = {"pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"}
ROLE_SCHEMA: JsonDict = {"pattern": "^arn:aws[a-z-]*:iam::[0-9]{12}:role/jobyard/.+$"}
SECRET_SCHEMA: JsonDict = {"pattern": "^arn:aws[a-z-]*:(secretsmanager|ssm):.+$"}
Lines = Annotated[str, Field(json_schema_extra=LINES_SCHEMA), AfterValidator(fields.many_lines)]
Arguments = Annotated[
    list[Lines],
    Field(json_schema_extra={"minItems": 1}),
    AfterValidator(fields.argument_list),
]
Command = Annotated[
    Arguments,
    BeforeValidator(fields.command_words),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, **LINES_SCHEMA},
                {"type": "array", "items": {"type": "string", **LINES_SCHEMA}, "minItems": 1},
            ]
        }
    ),
]
WHOLE = BeforeValidator(fields.whole)
"""After a Field with limits, so that the schema shows them."""
Jitter = Annotated[
    int,
    Field(
        ge=0,
        le=LONGEST,
        description="Each slot starts later by an amount that is fixed for the job: whole minutes, "
        "at most this, rounded up to minutes.",
    ),
    WHOLE,
]
Capacity = Annotated[
    Literal["on_demand", "spot", "spot_then_on_demand"],
    Field(
        description="Fargate on demand, or Fargate Spot: cheaper, and AWS may interrupt the task, "
        "which starts the attempt again. `spot_then_on_demand` goes on demand after two "
        "interruptions, or where Spot has no capacity after five minutes."
    ),
]
VariableName = Annotated[str, AfterValidator(fields.variable_name)]
Env = Annotated[
    dict[VariableName, Lines],
    Field(
        description="Names must not begin with JOBYARD_, AWS_ or ECS_; at most 32 KiB in all.",
        json_schema_extra=NAMES_SCHEMA,
    ),
    AfterValidator(fields.environment),
]
