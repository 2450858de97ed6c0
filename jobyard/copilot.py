"""
AWS Copilot's Scheduled Jobs as a jobs.yaml, with what has no counterpart said (pure but for the
reading of files).

The format is that of Copilot's documentation, "Scheduled Job" manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobyard import job_fields, yaml_nodes
from jobyard.copilot_schedule import Note, seconds_of, to_cron
from jobyard.errors import JobyardError, ManifestError
from jobyard.yaml_nodes import Reader

Json = dict[str, Any]

KIND = "Scheduled Job"
NOT_HERE: dict[str, str] = {
    "environments": "import once for each environment, with --environment NAME",
    "env_file": "copy its variables into env",
    "network": "the stage's own subnets and security groups are used: see its parameters",
    "storage": "no volumes: read and write S3, or a database",
    "sidecars": "a run is one container: put what it needs into the image",
    "logging": "output goes to CloudWatch Logs, one group for each job",
    "observability": "no tracing sidecar: send traces from within the container",
    "taskdef_overrides": "see whether a field of the job does it",
    "publish": "publish from within the container, with task_role_arn",
    "exec": "no shell into a running task",
    "count": "one task for each run",
}
"""A part of a manifest that Jobyard has no field for, and what to do about it."""


@dataclass(slots=True)
class Imported:
    """Jobs as manifest entries, and notes on what a person must do."""

    jobs: list[Json] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def load(directory: Path, environment: str | None) -> Imported:
    """
    Every Scheduled Job of a Copilot workspace: `directory` is its `copilot` folder, or has it.

    JobyardError where there is no manifest, ManifestError where one is no YAML.
    """
    root = directory / "copilot" if (directory / "copilot").is_dir() else directory
    files = sorted([*root.glob("*/manifest.yml"), *root.glob("*/manifest.yaml")])
    if not files:
        raise JobyardError(f"there is no manifest.yml in a folder of {root}")
    found = Imported()
    for file in files:
        manifest = _read(file)
        name = str(manifest.get("name", file.parent.name))
        if manifest.get("type") != KIND:
            kind = manifest.get("type", "of no type")
            found.notes.append(f"{name}: it is {kind}, which is no {KIND}: left out")
            continue
        found.jobs.append(_job(name, _chosen(manifest, environment), found.notes))
    return found


def _read(file: Path) -> Json:
    """The manifest as data, its `${NAME}` as they are: jobs.yaml reads them the same way."""
    # the file's own ${NAME} must survive: they are doubled first, and single after reading
    text = file.read_text(encoding="utf-8").replace("${", "$${")
    root = yaml_nodes.compose(text, str(file))
    reader = Reader(str(file), {})
    data = {name: reader.value(node, name) for name, node in reader.items(root)}
    if reader.problems:
        raise ManifestError(reader.problems)
    return data


def _chosen(manifest: Json, environment: str | None) -> Json:
    """The manifest with one environment's values over its own."""
    if environment is None:
        return manifest
    own = {name: value for name, value in manifest.items() if name != "environments"}
    return _over(own, (manifest.get("environments") or {}).get(environment) or {})


def _over(low: Json, high: Mapping[str, Any]) -> Json:
    merged = dict(low)
    for name, value in high.items():
        both = isinstance(value, dict) and isinstance(low.get(name), dict)
        merged[name] = _over(low[name], value) if both else value
    return merged


def _job(name: str, manifest: Json, notes: list[str]) -> Json:
    """One job; what must be done by hand goes to `notes`."""

    def note(text: str) -> None:
        notes.append(f"{name}: {text}")

    known = {"name", "type", "on", "image", "entrypoint", "command", "cpu", "memory", "retries"}
    known |= {"timeout", "variables", "secrets", "platform"}
    job: Json = {"name": name, "image": _image(name, manifest.get("image"), note)}
    for part in ("entrypoint", "command"):
        if manifest.get(part) is not None:
            job[part] = _words(part, manifest[part], note)
    job["schedule"] = to_cron((manifest.get("on") or {}).get("schedule"), note)
    job |= _size(manifest, note)
    job |= _platform(manifest.get("platform"), note)
    if manifest.get("retries") is not None:
        job["max_retries"] = _retries(manifest["retries"], note)
    if manifest.get("timeout") is not None:
        job["timeout_seconds"] = _timeout(manifest["timeout"], note)
    job["env"] = _variables(manifest.get("variables") or {}, note)
    job["secrets"] = _secrets(manifest.get("secrets") or {}, note)
    for part in manifest:
        if part not in known:
            note(f"{part} has no counterpart: {NOT_HERE.get(part, 'see docs/jobs-as-code.md')}")
    return {part: value for part, value in job.items() if value not in (None, {}, [])}


def _image(name: str, image: Any, note: Note) -> str:
    if isinstance(image, str):
        return image
    image = image or {}
    for part, why in (
        ("labels", "use tags"),
        ("depends_on", "a run is one container"),
        ("credentials", "no private registries but ECR: copy the image there"),
    ):
        if part in image:
            note(f"image.{part} has no counterpart: {why}")
    if image.get("location"):
        return str(image["location"])
    variable = re.sub(r"\W", "_", name).upper() + "_IMAGE"
    note(f"Jobyard builds no images: build and push it, and set {variable} to where it is")
    return f"${{{variable}}}"


def _words(part: str, given: Any, note: Note) -> Any:
    if not isinstance(given, str):
        return [str(one) for one in given]
    wrong = list(job_fields.FIELDS["command"].check(given))
    if not wrong:
        return job_fields.command_words(given)
    note(f"{part} {wrong[0][1]}: it runs in a shell now, see whether the image has one")
    return ["sh", "-c", given]


def _size(manifest: Json, note: Note) -> Json:
    """Copilot's CPU units (1,024 a vCPU) and MiB; its defaults are 256 and 512."""
    cpu = float(manifest.get("cpu") or 256) / 1024
    memory_mib = int(manifest.get("memory") or 512)
    wrong = job_fields.check_memory(cpu, memory_mib)
    if cpu not in job_fields.MEMORY_MIB:
        note(f"cpu {manifest.get('cpu')} is no size of Fargate's: choose one")
    elif wrong is not None:
        note(f"memory {wrong}")
    return {"cpu": cpu, "memory_mib": memory_mib}


def _platform(given: Any, note: Note) -> Json:
    named = given
    if isinstance(given, dict):
        named = f"{given.get('osfamily', 'linux')}/{given.get('architecture', 'x86_64')}"
    text = str(named or "linux/x86_64").lower()
    if "windows" in text:
        note(f"platform {named} has no counterpart: Jobyard runs Linux containers")
    return {"architecture": "arm64"} if text.endswith(("arm64", "arm")) else {}


def _retries(given: Any, note: Note) -> int:
    retries = int(given)
    if retries > 10:
        note(f"retries {retries}: at most 10 are made")
    return min(retries, 10)


def _timeout(given: Any, note: Note) -> int | None:
    seconds = seconds_of(str(given))
    if seconds is None:
        note(f"timeout {given} is no duration: the default of a day holds")
        return None
    return max(1, int(seconds))


def _variables(given: Mapping[str, Any], note: Note) -> Json:
    env: Json = {}
    for name, value in given.items():
        if isinstance(value, dict):
            note(f"variables.{name} comes from a CloudFormation export: write its value")
        elif str(name).startswith(("JOBYARD_", "AWS_", "ECS_")):
            note(f"variables.{name}: names that begin with JOBYARD_, AWS_ or ECS_ are taken")
        else:
            env[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return env


def _secrets(given: Mapping[str, Any], note: Note) -> Json:
    """Names of SSM parameters and secrets as ARNs, for the account and region that are set."""
    secrets: Json = {}
    here = "${AWS_REGION}:${AWS_ACCOUNT_ID}"
    for name, value in given.items():
        if isinstance(value, dict) and "secretsmanager" in value:
            secret = str(value["secretsmanager"])
            named = secret if secret.startswith("arn:") else f"secret:{secret}"
            if named != secret:
                note(f"secrets.{name}: put the secret's whole ARN, with its last six characters")
                named = f"arn:aws:secretsmanager:{here}:{named}"
            secrets[name] = named
        elif isinstance(value, dict):
            note(f"secrets.{name} comes from a CloudFormation export: write its ARN")
        else:
            text = str(value)
            path = text.removeprefix("/")
            is_arn = text.startswith("arn:")
            secrets[name] = text if is_arn else f"arn:aws:ssm:{here}:parameter/{path}"
    if secrets:
        note("secrets: jobs may read those under jobyard/STAGE/WORKSPACE/: copy them there")
    return secrets
