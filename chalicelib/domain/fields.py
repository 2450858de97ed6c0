"""
The grammars of single fields: what an image, a tag, an ARN, a name may look like (pure).

Each function answers the value as it is stored, or raises ValueError with the predicate of a
sentence whose subject is the field: what is wrong and what to do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain import shell_split
from chalicelib.domain.redaction import ACCOUNT, without_account_ids

COMMAND_BYTES = 16 * 1024
ENV_BYTES = 32 * 1024
MEMORY_MIB: dict[float, tuple[int, ...]] = {
    0.25: (512, 1024, 2048),
    0.5: tuple(range(1024, 4096 + 1, 1024)),
    1.0: tuple(range(2048, 8192 + 1, 1024)),
    2.0: tuple(range(4096, 16384 + 1, 1024)),
    4.0: tuple(range(8192, 30720 + 1, 1024)),
    8.0: tuple(range(16384, 61440 + 1, 4096)),
    16.0: tuple(range(32768, 122880 + 1, 8192)),
}
"""vCPU to the memory sizes that Fargate offers with it, in MiB (AWS: "Task CPU and memory")."""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """A job's stage and workspace decide what it may name: the context of every validation."""

    stage: str
    workspace_id: str
    secret_prefixes: tuple[str, ...]
    iam_prefix: str
    """What the ARN of each IAM identity of the stage's account begins with."""


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def one_line(text: str) -> str:
    """Refuses every control character. With a NUL, for example, ECS refuses the whole task."""
    return _without(_CONTROL, text)


def many_lines(text: str) -> str:
    """Refuses control characters except tab and line ends; for arguments and values of env."""
    return _without(_CONTROL_IN_LINES, text)


def _without(refused: re.Pattern[str], text: str) -> str:
    found = refused.search(text)
    if found:
        raise ValueError(f"must not hold the control character U+{ord(found[0]):04X}")
    return text


_SHOWN = frozenset("LNPS")
"""Unicode's letters, numbers, punctuation and symbols; a mark is only visible on one of these."""
_BLANK = re.compile(r"HANGUL (\w+ )?FILLER$|\bBLANK$|\bNULL NOTEHEAD$")
"""Names of the letters and symbols that Unicode gives no shape."""


def label(text: str) -> str:
    """
    A name for people: printable characters, at least one of which can be seen.

    Spaces, combining marks, variation selectors and fillers are allowed beside something visible; a
    name of these alone would look empty.
    """
    if not text.isprintable():
        raise ValueError("must hold only printable characters")
    if not any(_is_visible(character) for character in text):
        raise ValueError("must have a visible character")
    return text


def _is_visible(character: str) -> bool:
    if unicodedata.category(character)[0] not in _SHOWN:
        return False
    return not _BLANK.search(unicodedata.name(character, ""))


# The grammar of github.com/distribution/reference, which container engines and ECS share.
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DIGEST = r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}"
_TAG_PART = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
IMAGE = rf"(?:{_DOMAIN}/)?{_PATH}(?:/{_PATH})*(?:{_TAG_PART})?(?:@(?:{_DIGEST}))?"
_IMAGE = re.compile(IMAGE, re.ASCII)


def image(text: str) -> str:
    """An OCI image reference: `[registry[:port]/]path[:tag][@digest]`."""
    if not _IMAGE.fullmatch(text):
        raise ValueError(
            "must be an image reference such as python:3.13-slim or "
            "registry.example.com/team/app:1.2, its path in lower case"
        )
    return text


def command_words(value: object) -> object:
    """A string becomes the list of its words; anything else stays, and the checks for lists refuse
    it."""
    if not isinstance(value, str):
        return value
    if len(value.encode()) > COMMAND_BYTES:
        raise ValueError("must be at most 16 KiB")
    return shell_split.split(value)


def argument_list(arguments: list[str]) -> list[str]:
    if not arguments:
        raise ValueError("must not be empty; null means the image's own")
    if _bytes(arguments) > COMMAND_BYTES:
        raise ValueError("must be at most 16 KiB")
    return arguments


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED = ("JOBYARD_", "AWS_", "ECS_")


def variable_name(name: str) -> str:
    """Of an environment variable, plain or secret."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError("is no variable name: use letters, digits and _, not a digit first")
    if name.startswith(_RESERVED):
        raise ValueError(f"must not begin with {', '.join(_RESERVED)}: they are set for the run")
    return name


def environment(env: dict[str, str]) -> dict[str, str]:
    if _bytes(env) + _bytes(env.values()) > ENV_BYTES:
        raise ValueError("must be at most 32 KiB, names and values together")
    return env


_SECRET_ARN = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+"
    r"(?::[A-Za-z0-9_.-]*:[A-Za-z0-9_.-]*:[A-Za-z0-9-]*)?"
    r"|arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9_./-]+",
    re.ASCII,
)


def secret_arn(arn: str, tenancy: Tenancy | None) -> str:
    """The ARN of a secret that jobs of this workspace may read; without a tenancy, none."""
    if not _SECRET_ARN.fullmatch(arn):
        raise ValueError("must be the ARN of a Secrets Manager secret or an SSM parameter")
    prefixes = tenancy.secret_prefixes if tenancy else ()
    if not prefixes:
        raise ValueError("names a secret, and this stage lets jobs read none: ask its operator")
    if not any(_is_under(arn, prefix, tenancy) for prefix in prefixes):
        allowed = [prefix.replace("{workspace}", _workspace(tenancy)) for prefix in prefixes]
        raise ValueError(
            f"must begin with {without_account_ids(' or '.join(allowed))}, where {ACCOUNT} is the "
            "stage's own AWS account"
        )
    return arn


def _workspace(tenancy: Tenancy | None) -> str:
    return tenancy.workspace_id if tenancy else ""


def _is_under(arn: str, prefix: str, tenancy: Tenancy | None) -> bool:
    start = prefix.replace("{workspace}", _workspace(tenancy))
    # a prefix that ends in the workspace's name must not reach `acme-2` from `acme`
    end = r"(?![A-Za-z0-9_-])" if prefix.endswith("{workspace}") else ""
    return re.match(re.escape(start) + end, arn) is not None


_TAG = re.compile(r"[A-Za-z0-9_.:/=+@-]{1,64}", re.ASCII)


def tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise ValueError("must be 1 to 64 of A-Z a-z 0-9 _ . : / = + @ -")
    key = tag_key(text)
    if not key:
        raise ValueError("must have a key before the =")
    if key.lower().startswith(("aws:", "jobyard:")):
        raise ValueError("must not begin with aws: or jobyard:")
    return text


def tag_key(text: str) -> str:
    """The key of the AWS tag that a job's tag becomes."""
    return text.partition("=")[0]


def distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must not name anything twice")
    return names


def distinct_tags(tags: list[str]) -> list[str]:
    keys = [tag_key(text) for text in tags]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"must not name a key twice: {', '.join(twice)}")
    return tags


_ROLE_ARN = re.compile(
    r"(?P<account>arn:aws[a-z-]*:iam::[0-9]{12}:)"
    r"role(?P<path>/(?:[!-.0-~]+/)*)[A-Za-z0-9_+=,.@-]{1,64}",
    re.ASCII,
)


def task_role_arn(arn: str, tenancy: Tenancy | None) -> str:
    """
    The ARN of a role under the path that this stage reserves for the workspace.

    A role of another account, or of another partition, is refused too: a role can only be passed
    to a service of its own account ("Grant a user permissions to pass a role to an AWS service",
    IAM user guide), so every run of the job would fail.
    """
    path = f"/jobyard/{tenancy.stage}/{tenancy.workspace_id}/" if tenancy else None
    found = _ROLE_ARN.fullmatch(arn)
    if not found or path is None or not found["path"].startswith(path):
        raise ValueError(
            f"must be the ARN of an IAM role under the path {path or 'that the stage sets aside'}"
        )
    if tenancy is None or found["account"] != tenancy.iam_prefix:
        raise ValueError(
            "must be the ARN of an IAM role of the AWS account and partition that this stage runs "
            f"in, under the path {path}"
        )
    return arn


def timezone(name: str) -> str:
    from chalicelib.domain import schedule  # at first use: most requests name none

    schedule.check_timezone(name)
    return name


def whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is the integer 3, as in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def vcpu(value: object) -> object:
    """A vCPU size that Fargate offers; JSON's true is not accepted as 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in MEMORY_MIB:
        sizes = ", ".join(f"{size:g}" for size in MEMORY_MIB)
        raise ValueError(f"must be one of {sizes} (vCPU)")
    return float(value)


class Mismatch(ValueError):
    """Two fields that are valid by themselves but not together; the error names both."""

    def __init__(self, message: str, other: str, message_of_other: str) -> None:
        super().__init__(message)
        self.other = other
        """The field besides the one whose validator raised this."""
        self.message_of_other = message_of_other


def memory_for(memory_mib: int, cpu: float) -> int:
    """
    `memory_mib`, if Fargate offers it with that cpu.

    null means the field's own default, 0.25 vCPU or 512 MiB, whatever the other field is, so that a
    comparison of a job with a manifest needs no table of Fargate's sizes. Where the default does
    not go with the other field, the caller must choose, and the error lists the choices for both.
    """
    if memory_mib in MEMORY_MIB[cpu]:
        return memory_mib
    mine = _choices(f"{memory_mib} MiB does not go with {cpu:g} vCPU", MEMORY_MIB[cpu])
    cpus = [size for size, memory in MEMORY_MIB.items() if memory_mib in memory]
    if not cpus:
        raise ValueError(mine)
    others = _choices(f"{cpu:g} vCPU does not go with {memory_mib} MiB", cpus)
    raise Mismatch(mine, "cpu", others)


def _choices(what: str, sizes: Sequence[float]) -> str:
    return f"{what}: choose one of {', '.join(f'{size:.6g}' for size in sizes)}"


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)
