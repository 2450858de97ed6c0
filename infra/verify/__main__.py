"""
`make verify STAGE=prod [IMAGE=...]`: go through what users rely on, on a deployed stage.

It makes jobs in a workspace of its own, runs them, and removes them again, also after a failure or
Ctrl-C. It says what each step waits for and how it went, what was found out about AWS that AWS's
documentation does not settle, and what it cost. It takes less than 12 minutes, and ends with
status 1 if something is wrong or could not be removed, else with 0.
"""

from __future__ import annotations

import argparse
import signal
import sys

from infra import account, doctor
from infra.account import Refused
from infra.deploy import outputs
from infra.verify import runner


def main() -> None:
    parser = argparse.ArgumentParser(prog="make verify", description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("--image", default=doctor.IMAGE, help="what to run; it must have `sh`")
    parser.add_argument("--url", help="where the API answers, if not at its own address")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        account.announce(arguments.stage, "verifying")
        url = arguments.url or outputs(arguments.stage)["EndpointURL"]
        done = runner.verify(arguments.stage, url, arguments.image, skip={})
    except Refused as refusal:
        sys.exit(f"make verify: {refusal}")
    except KeyboardInterrupt:
        sys.exit(
            "make verify: interrupted while clearing up. Jobs of the workspace "
            f"{runner.WORKSPACE} may be left; the next make verify removes them."
        )
    sys.exit(0 if done.is_right else 1)


if __name__ == "__main__":
    main()
