"""What the deployment tells the code: environment variables, read once into a frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.domain.fields import Tenancy

STAGE_TAG = "jobyard:stage"
SHARDS = 8
"""Partitions of each of the sweep's two sparse indexes: enough for 8,000 writes a second, which is
4,000 claims. A table's quota of 40,000 write units takes 3,000."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The names and options of a deployment; each field has its environment variable."""

    stage: str
    jobs_table: str
    runs_table: str
    tokens_table: str
    cluster: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool
    execution_role_arn: str
    default_task_role_arn: str | None
    """Role of jobs that name none; unset: their containers have no AWS permission."""
    fire_function_arn: str | None
    """Target of every schedule's rule; unset where a function does not make rules."""
    rule_dead_letter_arn: str | None
    event_bus: str | None
    """Name of the bus that terminal runs are announced on; unset: nowhere."""
    log_retention_days: int
    run_retention_days: int | None
    """Finished runs older than this are removed by DynamoDB's TTL; unset: kept for ever."""
    secret_prefixes: tuple[str, ...]
    """ARN prefixes that `secrets` may name; `{workspace}` stands for the job's workspace."""
    region: str
    container_insights: str = "disabled"
    """What the cluster measures, as ECS names it: `disabled`, `enabled` or `enhanced`."""
    wake: str = "rules"
    """
    What wakes schedules: `rules`, EventBridge's, as far as the account has room for them, or
    `sweep`: the sweep alone, and no rules are made.
    """
    sweep_part_function: str | None = None
    """Name of the function that does parts of the sweep; unset: the sweep does all by itself."""
    shards: int = SHARDS

    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API from a browser; `*`: all."""
    max_runs_in_flight: int = 0
    """How many runs of a workspace may be in flight; 0: any number."""
    max_jobs: int = 0
    """How many jobs a workspace may have; 0: any number."""
    aws_endpoint: str | None = None
    """Where AWS answers, as every AWS SDK reads it from AWS_ENDPOINT_URL; unset: its own hosts."""

    @property
    def table_names(self) -> dict[str, str]:
        """The names of the stage's tables by what they hold."""
        return {"jobs": self.jobs_table, "runs": self.runs_table, "tokens": self.tokens_table}

    @property
    def has_quotas(self) -> bool:
        return bool(self.max_runs_in_flight or self.max_jobs)

    @property
    def prefix(self) -> str:
        """Prefix of the names of everything that CloudFormation does not make."""
        return f"jobyard-{self.stage}"

    @property
    def iam_prefix(self) -> str:
        """`arn:{partition}:iam::{account}:` of the account that this stage runs in."""
        return self.execution_role_arn.partition(":role/")[0] + ":"

    def tenancy(self, workspace_id: str) -> Tenancy:
        """What jobs of a workspace may name on this stage."""
        from chalicelib.domain.fields import Tenancy  # at first use: not every request needs it

        return Tenancy(self.stage, workspace_id, self.secret_prefixes, self.iam_prefix)

    def family(self, job_id: str) -> str:
        """Task definition family of a job: at most 255 of `[A-Za-z0-9_-]`."""
        return f"{self.prefix}-{job_id}"

    def log_group(self, job_id: str) -> str:
        """CloudWatch log group of a job."""
        return f"/jobyard/{self.stage}/{job_id}"


def _list(value: str) -> tuple[str, ...]:
    return tuple(part for part in value.split(",") if part)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`; KeyError names a required variable that is missing."""
    retention = environ.get("JOBYARD_RUN_RETENTION_DAYS", "")
    return Settings(
        stage=environ["JOBYARD_STAGE"],
        jobs_table=environ["JOBYARD_JOBS_TABLE"],
        runs_table=environ["JOBYARD_RUNS_TABLE"],
        tokens_table=environ["JOBYARD_TOKENS_TABLE"],
        cluster=environ["JOBYARD_CLUSTER"],
        subnets=_list(environ["JOBYARD_SUBNETS"]),
        security_groups=_list(environ["JOBYARD_SECURITY_GROUPS"]),
        assign_public_ip=environ.get("JOBYARD_ASSIGN_PUBLIC_IP", "ENABLED") == "ENABLED",
        execution_role_arn=environ["JOBYARD_EXECUTION_ROLE_ARN"],
        default_task_role_arn=environ.get("JOBYARD_DEFAULT_TASK_ROLE_ARN") or None,
        fire_function_arn=environ.get("JOBYARD_FIRE_FUNCTION_ARN") or None,
        rule_dead_letter_arn=environ.get("JOBYARD_RULE_DEAD_LETTER_ARN") or None,
        event_bus=environ.get("JOBYARD_EVENT_BUS") or None,
        log_retention_days=int(environ.get("JOBYARD_LOG_RETENTION_DAYS", "30")),
        run_retention_days=max(3, int(retention)) if retention else None,
        secret_prefixes=_list(environ.get("JOBYARD_SECRET_PREFIXES", "")),
        allowed_origins=_list(environ.get("JOBYARD_ALLOWED_ORIGINS", "")),
        max_runs_in_flight=int(environ.get("JOBYARD_MAX_RUNS_IN_FLIGHT") or 0),
        max_jobs=int(environ.get("JOBYARD_MAX_JOBS") or 0),
        container_insights=environ.get("JOBYARD_CONTAINER_INSIGHTS") or "disabled",
        wake=environ.get("JOBYARD_WAKE") or "rules",
        aws_endpoint=environ.get("AWS_ENDPOINT_URL") or None,
        sweep_part_function=environ.get("JOBYARD_SWEEP_PART_FUNCTION") or None,
        region=environ.get("AWS_REGION") or environ["AWS_DEFAULT_REGION"],
    )
