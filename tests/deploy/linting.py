"""What cfn-lint says of a template."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def lint(template: Path, *regions: str, ignored: str | None = None) -> tuple[str, int]:
    """Its findings and its exit code, ("", 0) for none; `ignored`: the id of one of its rules."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--regions", *regions]
    ignoring = ["-i", ignored] if ignored else []
    done = subprocess.run(
        [*command, *ignoring, "--template", str(template)], capture_output=True, text=True
    )
    return done.stdout, done.returncode
