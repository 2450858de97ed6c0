"""The whole system on one machine: `make up`."""

LOOPBACK = "127.0.0.1"
"""The only address that anything here listens on."""
REGION = "eu-central-1"
CAP = 20
"""Tasks on the machine at once; the others wait."""
