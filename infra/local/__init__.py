"""The whole system on one machine: `make up`."""

LOOPBACK = "127.0.0.1"
"""The only address that anything here listens on."""
REGION = "eu-central-1"
OUTPUT_MB = 64
"""Memory for the output of all tasks; beyond it the oldest lines are dropped."""
METRIC_POINTS = 40_000
"""Datapoints that are kept, the newest: those of a job that ran once a minute for a week."""
CAP = 20
"""Tasks on the machine at once; the others wait."""
