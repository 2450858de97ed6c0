"""A project of the local stack, as its operator and its users have it, beside the console."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from jobyard.client import Client
from tests.local.local_yard import wait_for
from tests.local.started import ROOT

Json = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """Its API, and the AWS of the stack."""

    api: Client
    env: dict[str, str]
    """What `.local/env` of the stack holds."""

    @classmethod
    def new(cls, env: dict[str, str]) -> AbstractContextManager[Project]:
        """One that nobody else uses."""
        return cls.named(f"p{uuid.uuid4().hex[:12]}", env)

    @classmethod
    @contextmanager
    def named(cls, name: str, env: dict[str, str]) -> Iterator[Project]:
        with Client(
            env["JOBYARD_URL"],
            env["JOBYARD_TOKEN"],
            workspace=env["JOBYARD_WORKSPACE"],
            project=name,
        ) as api:
            yield cls(api, env)

    @property
    def token(self) -> str:
        return self.env["JOBYARD_TOKEN"]

    def job(self, script: str = "echo done", name: str = "job", **spec: Any) -> Json:
        """A job that runs a script of the shell's."""
        return self.api.create_job(
            {"name": name, "image": "busybox", "command": ["sh", "-c", script], **spec}
        )

    def finished(self, job: Json) -> Json:
        """A run of the job, once it has ended."""
        return self.until_over(self.api.trigger(job["id"]))

    def until_over(self, run: Json) -> Json:
        wait_for(lambda: self.run(run)["finished_at"], "the run has ended", 60)
        return self.run(run)

    def run(self, run: Json) -> Json:
        return self.api.get_run(run["job_id"], run["id"])

    def aws(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            region_name=self.env["AWS_REGION"],
        )

    def tokens(self, *arguments: str) -> str:
        """`make token` and the like; what it says on stdout."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.tokens", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **self.env},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def new_token(self, role: str, *options: str) -> str:
        return self.tokens("create", "--workspace", self.api.workspace, "--role", role, *options)
