"""
The operator's command for tokens: make, list and take back those of a stage.

    make token WORKSPACE=acme ROLE=write [PROJECTS=a,b] [EXPIRES=90d] [NAME=ci] [STAGE=prod]
    make tokens [WORKSPACE=acme] [STAGE=prod]
    make revoke-token ID=1f2e3d4c5b6a [STAGE=prod]

It writes the stage's table with the AWS credentials of the shell; with `.local/env` sourced that
is the local stack. A token goes to the standard output alone, once: what is stored is its hash.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain import fields, ids
from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import Unavailable
from chalicelib.http import queries
from chalicelib.tables.records import Token
from chalicelib.usecases.access import ROLES, Tokens, digest_of
from infra import account
from infra.account import Refused
from infra.token_store import tokens_in

LOCAL = "local"
COLUMNS = ("ID", "WORKSPACE", "PROJECTS", "ROLE", "CREATED", "EXPIRES", "LAST USED", "NAME")


def connect(stage: str) -> Tokens:
    """
    The tokens of `stage`; says on stderr where their table is.

    Refused if the stage and the shell do not belong together, or if there is no such table.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if (stage == LOCAL) != (endpoint is not None):
        raise Refused(
            f"AWS_ENDPOINT_URL is set, so this shell reaches {endpoint}: unset it for {stage}"
            if endpoint
            else "the local stack is reached with: . .local/env"
        )
    table = f"jobyard-{stage}-tokens"
    region = account.region()
    try:
        found = boto3.client("dynamodb").describe_table(TableName=table)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise Refused(f"there is no {table} in {region}: is {stage} deployed?") from error
        raise
    print(found["Table"]["TableArn"], file=sys.stderr)
    return tokens_in(stage, region)


def operator() -> Actor:
    """
    Who the shell's credentials belong to, for the audit trail: the user or role, as IAM names it,
    without the account. GetCallerIdentity needs no permission.
    """
    arn = boto3.client("sts").get_caller_identity()["Arn"]
    return Actor(None, f"operator {arn.split(':', 5)[5]}")


def create(
    tokens: Tokens,
    workspace: str,
    role: str,
    projects: list[str] | None,
    life: timedelta | None,
    name: str,
    by: Actor,
) -> str:
    """The text of a new token."""
    for given in (workspace, *(projects or ())):
        if not ids.TENANT.fullmatch(given):
            raise Refused(f"{given!r} must be 1 to 63 of A-Z a-z 0-9 _ -, a letter or digit first")
    try:
        if len(fields.label(name)) > 128:
            raise ValueError("must have at most 128 characters")
    except ValueError as error:
        raise Refused(f"NAME {error}") from error
    now = datetime.now(UTC)
    text, made = tokens.create(
        workspace, role, projects=projects, name=name, life=life, now=now, by=by
    )
    print(_line(*COLUMNS), _row(made), sep="\n", file=sys.stderr)
    print("The token is shown this once. It is sent as: Authorization: Bearer …", file=sys.stderr)
    return text


def listed(tokens: Tokens, workspace: str | None) -> list[Token]:
    """The stage's tokens, or one workspace's, oldest first; expired ones for 30 days yet."""
    found = [one for one in tokens.every() if workspace in (None, one.workspace_id)]
    return sorted(found, key=lambda one: (one.workspace_id, one.created_at))


def revoke(tokens: Tokens, given: str, by: Actor) -> Token:
    """
    Revoke the token with that id or that text.

    Functions that know it accept it for 30 s more. Refused unless exactly one is meant.
    """
    start = digest_of(given) if given.startswith("jyd_") else given
    if not re.fullmatch(r"[0-9a-f]{8,64}", start):
        raise Refused("ID must be the first column of `make tokens`, or the token itself")
    found = [one for one in tokens.every() if one.pk.startswith(start)]
    if len(found) != 1:
        raise Refused(f"{len(found)} tokens have that id")
    tokens.revoke(found[0], datetime.now(UTC), by)
    return found[0]


def _row(token: Token) -> str:
    projects = "all" if token.projects is None else ",".join(token.projects) or "none"
    expires = "never" if token.expires_at is None else f"{token.expires_at:%Y-%m-%d}"
    created, used = f"{token.created_at:%Y-%m-%d}", token.last_used or "never"
    return _line(
        token.token_id, token.workspace_id, projects, token.role, created, expires, used, token.name
    )


def _line(*cells: str) -> str:
    return "  ".join(cell.ljust(12) for cell in cells).rstrip()


def _life(text: str) -> timedelta | None:
    try:
        life = queries.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if life is None:
        raise argparse.ArgumentTypeError("must be a duration such as 90d or 12h")
    return life


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    # make passes an empty value for an option that was not given
    parser = argparse.ArgumentParser(prog="infra.tokens", description=__doc__.split("\n")[1])
    parser.add_argument("--stage", default="")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("create")
    make.add_argument("--workspace", required=True)
    make.add_argument("--role", required=True, choices=ROLES)
    make.add_argument("--projects", default="", help="comma-separated; absent: all of them")
    make.add_argument("--expires", type=_life, help="a duration such as 90d; absent: never")
    make.add_argument("--name", default="unnamed", help="what it is for")
    show = commands.add_parser("list")
    show.add_argument("--workspace", default="")
    take = commands.add_parser("revoke")
    take.add_argument("id")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    asked = _arguments(argv)
    stage = asked.stage or (LOCAL if "AWS_ENDPOINT_URL" in os.environ else "dev")
    try:
        tokens = connect(stage)
        if asked.command == "create":
            projects = asked.projects.split(",") if asked.projects else None
            life, name = asked.expires, asked.name
            print(create(tokens, asked.workspace, asked.role, projects, life, name, operator()))
        elif asked.command == "list":
            print(_line(*COLUMNS), *map(_row, listed(tokens, asked.workspace or None)), sep="\n")
        else:
            print(f"revoked, within 30 s: {_row(revoke(tokens, asked.id, operator()))}")
    except (Refused, Unavailable, BotoCoreError, ClientError, PynamoDBException) as error:
        print(f"tokens: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
