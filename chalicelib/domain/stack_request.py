"""
What CloudFormation asks of a `Custom::JobyardJob`, and its properties as a job (pure).

The request's form is CloudFormation's ("Custom resource request objects", CloudFormation user
guide). It sends every number and every boolean of a template as a string, so strings are converted
by the type of their field. A property has the name of its field in CloudFormation's case:
`memory_mib` is `MemoryMib`.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.domain import ids
from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import FieldError, InvalidFields

if TYPE_CHECKING:
    from chalicelib.domain.fields import Tenancy
    from chalicelib.domain.job_spec import JobSpec

CREATE, UPDATE, DELETE = "Create", "Update", "Delete"
_OF_CLOUDFORMATION = frozenset({"ServiceToken", "ServiceTimeout"})
_NOT_CREATED = "not-created-"
_CLIPPED = 48
_SPELLED: dict[str, bool | None] = {"true": True, "false": False}
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class StackRequest:
    """One request about one resource of one stack."""

    kind: str
    request_id: str
    stack_id: str
    logical_id: str
    physical_id: str
    """What an earlier answer called the resource; empty in a Create."""
    properties: Mapping[str, Any]
    old_properties: Mapping[str, Any]
    """Those before an Update; otherwise empty."""

    @property
    def project(self) -> str | None:
        """The key of the project in the tables; None where the properties name none."""
        return _project(self.properties)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What cannot change without another job in this one's place."""
        return _identity(self.properties)

    @property
    def old_identity(self) -> tuple[Any, ...]:
        return _identity(self.old_properties)

    @property
    def old_project(self) -> str | None:
        return _project(self.old_properties)

    @property
    def stack_name(self) -> str:
        stack = self.stack_id.rpartition(":")[2].split("/")
        return stack[1] if len(stack) > 1 else stack[0]

    @property
    def actor(self) -> Actor:
        """Who changes the job: CloudFormation does not say who changed the stack."""
        return Actor(None, f"CloudFormation stack {self.stack_name}")

    @property
    def owner(self) -> str:
        """
        The job's `managed_by`: this resource of this stack, and no other one.

        Readable as far as 128 characters allow. The hash tells apart what is clipped, and a stack
        from an earlier one of its name.
        """
        exact = hashlib.sha256(f"{self.stack_id}/{self.logical_id}".encode()).hexdigest()[:12]
        return f"cloudformation/{self.stack_name[:_CLIPPED]}/{self.logical_id[:_CLIPPED]}/{exact}"

    @property
    def key(self) -> str:
        """The Idempotency-Key of this request."""
        return self._key_of(self.request_id)

    @property
    def not_created(self) -> str:
        """The physical id that a Create answers when it fails; a Delete of it follows."""
        return f"{_NOT_CREATED}{self.request_id}"

    @property
    def key_of_failed_create(self) -> str | None:
        """Of the Create whose `not_created` this request is about; None: it is about another."""
        if not self.physical_id.startswith(_NOT_CREATED):
            return None
        return self._key_of(self.physical_id.removeprefix(_NOT_CREATED))

    def _key_of(self, request_id: str) -> str:
        return f"{self.stack_id}/{self.logical_id}/{request_id}"


def read(event: Mapping[str, Any]) -> StackRequest:
    """The request in an event; what it lacks is empty."""

    def text(name: str) -> str:
        return str(event.get(name) or "")

    return StackRequest(
        kind=text("RequestType"),
        request_id=text("RequestId"),
        stack_id=text("StackId"),
        logical_id=text("LogicalResourceId"),
        physical_id=text("PhysicalResourceId"),
        properties=event.get("ResourceProperties") or {},
        old_properties=event.get("OldResourceProperties") or {},
    )


def _identity(properties: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(properties.get(name) for name in ("Workspace", "Project", "Name"))


def _project(properties: Mapping[str, Any]) -> str | None:
    named = [str(properties.get(name, "")) for name in ("Workspace", "Project")]
    return "#".join(named) if all(map(ids.TENANT.fullmatch, named)) else None


def spec(request: StackRequest, tenancy: Tenancy) -> JobSpec:
    """
    The job that the properties describe.

    InvalidFields names everything that is wrong, by its property.
    """
    from chalicelib.domain.job_spec import JobSpec
    from chalicelib.domain.validation import validate

    names = {property_name(field): field for field in JobSpec.model_fields}
    del names["ManagedBy"]
    errors = list(_tenant_errors(request.properties))
    fields: dict[str, Any] = {"managed_by": request.owner}
    for name, value in request.properties.items():
        if name in names:
            field = names[name]
            fields[field] = _converted(value, JobSpec.model_fields[field].annotation)
        elif name not in ("Workspace", "Project") and name not in _OF_CLOUDFORMATION:
            errors.append(FieldError(name, _unknown(name, names)))
    try:
        found = validate(JobSpec, fields, tenancy)
    except InvalidFields as invalid:
        errors += [FieldError(_in_its_case(one.field), one.message) for one in invalid.errors]
    if errors:
        raise InvalidFields(errors)
    return found


def property_name(field: str) -> str:
    """`memory_mib` is `MemoryMib`."""
    return "".join(word.capitalize() for word in field.split("_"))


def _in_its_case(path: str) -> str:
    """An invalid field's path; names of variables keep theirs."""
    field, dot, rest = path.partition(".")
    return property_name(field) + dot + rest


def _tenant_errors(properties: Mapping[str, Any]) -> list[FieldError]:
    form = "must be 1 to 63 of A-Z a-z 0-9 _ -, beginning with a letter or a digit"
    return [
        FieldError(name, form if name in properties else "is required")
        for name in ("Workspace", "Project")
        if not ids.TENANT.fullmatch(str(properties.get(name, "")))
    ]


def _converted(value: Any, kind: Any) -> Any:
    """A string as the type of its field; what is none of that type stays, and is refused."""
    if not isinstance(value, str):
        return value
    if kind is bool:
        return _SPELLED.get(value.lower(), value)
    if kind is int and _WHOLE.fullmatch(value):
        return int(value)
    if kind in (int, float) and _NUMBER.fullmatch(value):
        return float(value)
    return value


def _unknown(name: str, names: Mapping[str, str]) -> str:
    if name == "ManagedBy":
        return "is set by Jobyard: it names the stack and the resource"
    near = difflib.get_close_matches(name[:64], [*names, "Workspace", "Project"], n=1)
    return f"is unknown; did you mean `{near[0]}`?" if near else "is unknown"
