"""`python -m jobyard`: the command."""

from __future__ import annotations

import sys

from jobyard.cli import main

if __name__ == "__main__":
    sys.exit(main())
