"""`make demo`: a stack of its own, two jobs, and everything that happens to them."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from infra.local import CAP, REGION, environment
from infra.local.console import console

if TYPE_CHECKING:
    from infra.local.stack import Access

DIRECTORY = Path(".local/demo")
IMAGE = "public.ecr.aws/docker/library/busybox:1.36"
PATIENCE = 120
"""Seconds for both runs, since an engine may have to pull the image."""
HELLO = 'for n in 1 2 3; do echo "line $n of run $JOBYARD_RUN_ID"; sleep 0.3; done'
FAIL = "echo 'this one gives up' >&2; exit 3"
EXPECTED = {"hello": ("succeeded", 0), "gives-up": ("failed", 3)}


class Demo:
    """A client of the HTTP API that says what it does."""

    def __init__(self, access: Access, terminal: TextIO) -> None:
        self._access = access
        self._terminal = terminal
        self._began = time.monotonic()

    def say(self, text: str = "") -> None:
        print(text, file=self._terminal, flush=True)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's `data`; urllib.error.HTTPError for any other status."""
        request = urllib.request.Request(
            f"{self._access.project_url('demo')}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._access.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]

    def run(self) -> bool:
        """Whether both jobs ended as they should."""
        jobs = {
            name: self.create(name, script)
            for name, script in (("hello", HELLO), ("gives-up", FAIL))
        }
        self.say("\nPOST …/jobs/{job_id}/runs of both")
        runs = {name: self.call("POST", f"/jobs/{job}/runs") for name, job in jobs.items()}
        ends = self.watch(runs)
        for name, run in ends.items():
            self.show(name, run)
        return {name: (run["status"], run["exit_code"]) for name, run in ends.items()} == EXPECTED

    def create(self, name: str, script: str) -> str:
        body = {"name": name, "image": IMAGE, "command": ["sh", "-c", script]}
        self.say(f"\nPOST …/jobs {json.dumps(body)}")
        job = self.call("POST", "/jobs", body)
        self.say(f"  → {job['id']}")
        return str(job["id"])

    def watch(self, runs: dict[str, Any]) -> dict[str, Any]:
        """Poll until all are finished, and say each transition as it is seen."""
        seen: dict[str, str] = {}
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for name, run in runs.items():
                if seen.get(name) != run["status"]:
                    seen[name] = run["status"]
                    self.say(f"  {time.monotonic() - self._began:5.1f} s  {name:9} {run['status']}")
            if all(run["finished_at"] is not None for run in runs.values()):
                break
            time.sleep(0.05)
            runs = {
                name: self.call("GET", f"/jobs/{run['job_id']}/runs/{run['id']}")
                for name, run in runs.items()
            }
        return runs

    def show(self, name: str, run: dict[str, Any]) -> None:
        job = f"/jobs/{run['job_id']}"
        self.say(f"\n{name}: exit code {run['exit_code']}, {run['duration_seconds']} s")
        if run["error"] is not None:
            self.say(f"  {run['error']['code']}: {run['error']['hint']}")
        for line in self.call("GET", f"{job}/runs/{run['id']}/logs")["logs"]:
            self.say(f"  {line['timestamp']}  {line['message']}")
        self.say(f"  counts {json.dumps(self.call('GET', f'{job}/status')['run_counts'])}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--engine", default="process", help="auto, docker or process")
    options = parser.parse_args()
    # moto asks botocore for a session when it is imported, so the shell's AWS has to go first.
    environment.isolate(os.environ, REGION)
    from infra.local.stack import Stack

    with console(DIRECTORY / "log") as terminal:
        stack = Stack(engine=options.engine, port=0, cap=CAP, directory=DIRECTORY)
        try:
            demo = Demo(stack.access, terminal)
            demo.say(f"A Jobyard of its own is up at {stack.access.url}, with {stack.engine.name}")
            is_right = demo.run()
        finally:
            left = stack.close()
        if left:
            demo.say(f"The container engine does not answer; this may be left: {', '.join(left)}")
        demo.say("\nThat was all; `make up` starts one that stays." if is_right else "\nIt failed.")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
