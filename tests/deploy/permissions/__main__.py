"""`make permissions`: write infra/permissions.json; with a path, what was recorded, to there."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import tests.conftest  # noqa: F401 - the environment of all tests, before a client is made
from infra import permissions
from tests.deploy.permissions import manifest, record

parser = argparse.ArgumentParser(prog="make permissions", description=__doc__)
parser.add_argument("--record", type=Path, help="where to write all that was recorded")
parser.add_argument("--failures", action="store_true", help="die and meddle at every call: slow")
arguments = parser.parse_args()

recorder = record.with_failures() if arguments.failures else record.everything()
if recorder.not_known:
    parser.exit(1, "\n".join(sorted(recorder.not_known)) + "\n")
calls = sorted([*recorder.calls, *record.by_lambda()])
if arguments.record:
    kept = {
        "calls": [dataclasses.asdict(call) for call in calls],
        "routes": sorted(recorder.routes),
        "outside": sorted(recorder.outside),
    }
    arguments.record.write_text(json.dumps(kept))
else:
    made = manifest.manifest((call.function, call.needed) for call in calls)
    permissions.MANIFEST.write_text(manifest.as_text(made))
    print(f"{permissions.MANIFEST}: {sum(map(len, made.values()))} entries")
