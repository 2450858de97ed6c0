"""
Plays a function's life in a fresh interpreter: import, first request, and many more.

  python -m bench.play tape.json 1000

reads a recorded request and prints as JSON what each part took. It imports only what a deployed
function imports, so that the measured memory is the function's own.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any


class Context:
    """Lambda's context, as far as the product reads it."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def peak_mib() -> float:
    """The highest resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would include what the parent had when it forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2


def main() -> None:
    recorded = json.loads(Path(sys.argv[1]).read_text())
    times = int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the product's log, until the end
    began = time.process_time()
    import app  # what is measured

    imported = time.process_time()
    found = {
        "start_ms": began * 1e3,
        "import_ms": (imported - began) * 1e3,
        "import_mib": peak_mib(),
        **_play(app, recorded, times),
    }
    answers.write(json.dumps(found))
    answers.flush()


def _play(app: Any, recorded: dict[str, Any], times: int) -> dict[str, Any]:
    from bench.tape import Exchange, Player  # not before the import is measured
    from chalicelib.clock import Clock
    from chalicelib.settings import read_settings
    from chalicelib.system import System

    at = datetime.fromisoformat(recorded["at"])

    class Then(Clock):
        def now(self) -> datetime:
            return at

    app.app.system = System(read_settings(os.environ), Then())
    handler = getattr(app, recorded["handler"])
    tape = [Exchange(**exchange) for exchange in recorded["tape"]]
    warm = tape[recorded["token_calls"] :]
    player = Player()
    player.install()
    player.rewind(tape)
    began = time.process_time()
    answer = handler(recorded["event"], Context())
    first_ms = (time.process_time() - began) * 1e3
    _check(answer, recorded, player)
    mib = peak_mib()
    cpu_ms = []
    for _ in range(times):
        player.rewind(warm)
        used = time.thread_time()
        answer = handler(recorded["event"], Context())
        cpu_ms.append((time.thread_time() - used) * 1e3)
        _check(answer, recorded, player)
    return {"first_ms": first_ms, "first_mib": mib, "cpu_ms": cpu_ms}


def _check(answer: dict[str, Any], recorded: dict[str, Any], player: Any) -> None:
    player.check_played()
    if answer.get("statusCode") != recorded["status"]:
        raise SystemExit(f"{recorded['name']} answered {answer}")


if __name__ == "__main__":
    main()
