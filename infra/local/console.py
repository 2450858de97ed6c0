"""Where the local stack's words go: a person's terminal, and a log file for everything else."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def console(log_file: Path) -> Iterator[TextIO]:
    """
    The terminal, while what the product prints (its log lines, as in CloudWatch) goes to the file.

    Warnings of this package are shown too; everything is in the file.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    terminal = sys.stdout
    with log_file.open("w", encoding="utf-8", buffering=1) as file:
        to_file = logging.StreamHandler(file)
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        shown = logging.StreamHandler(sys.stderr)
        shown.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        shown.addFilter(lambda record: record.name.startswith("infra."))
        logging.basicConfig(level=logging.WARNING, handlers=[to_file, shown], force=True)
        logging.getLogger("infra").setLevel(logging.INFO)
        with contextlib.redirect_stdout(file):
            yield terminal
        logging.basicConfig(level=logging.WARNING, force=True)
