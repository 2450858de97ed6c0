"""
Write docs/cli.md from the commands' own help.

    python -m infra.cli_docs

A test compares the page with the commands.
"""

from __future__ import annotations

from pathlib import Path

import click

from jobyard.cli import SECTIONS, command

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 96

HEAD = """\
# The command line

<!-- Written by `python -m infra.cli_docs` from the commands' own help; change it there. -->

`jobyard` speaks HTTP to the API and nothing else: it needs no AWS credentials and no part of the
system. From a checkout:

```console
$ pipx install .            # or: uv tool install .
$ pipx install '.[mcp]'     # with `jobyard mcp`, for agents
$ jobyard login             # asks for URL, workspace, project and token
```

`make up` installs it into `.venv`, and after `. .local/env` it works against the local stack
without a login.

## Settings

An option of `jobyard` goes before a variable, and a variable before the profile.

| option | variable | in the profile |
|---|---|---|
| `--url` | `JOBYARD_URL` | `url` |
| `--token` | `JOBYARD_TOKEN` | `token` |
| `--workspace` | `JOBYARD_WORKSPACE` | `workspace` |
| `--project` | `JOBYARD_PROJECT` | `project` |
| `--profile` | `JOBYARD_PROFILE` | |
| | `JOBYARD_CONFIG`: the file, else in the platform's folder for configuration | |

## Output and exit status

- What was asked for goes to stdout, everything else to stderr. `-o json` and `-o yaml` are the
  API's `data`, and `-o name` is a name or an id a line.
- There is no colour and no movement where the stream is no terminal or `NO_COLOR` is set.
- A request that gets no answer, or a 429, 502, 503 or 504, is made again, with the pause that
  `Retry-After` asks for, for up to a minute, or five while a run is followed; stderr says so. What
  creates something carries an Idempotency-Key, so nothing is made twice.
- Jobs are named by name or id. A run is named by its id.

| status | meaning |
|---|---|
| 0 | it was done |
| the container's exit code | of `run --wait` and `run --follow` |
| 1 | the API refused, or did not answer; a run failed without an exit code of its own |
| 2 | a mistake of usage, or a missing setting; `plan --detailed-exitcode`: something to do |
| 124 | the time of `--timeout` passed; the run goes on |
| 125 | the run never started |
| 126 | the run was cancelled |
| 130 | Ctrl-C |
| 141 | whoever read stdout has gone, as in `jobyard logs … \\| head` |

Every command that reads a whole project works with a stage that lacks the endpoint for it, from
each job's own; `upcoming` then knows the next slot of each job alone.
"""


def page() -> str:
    """All of it."""
    parts = [HEAD]
    with command.make_context("jobyard", [], resilient_parsing=True) as root:
        for title, commands in SECTIONS.items():
            parts.append(f"\n## {title}\n")
            for name in commands:
                found = command.get_command(root, name)
                assert found is not None
                parts += _described(found, name, root)
    return "".join(parts)


def _described(found: click.Command, name: str, parent: click.Context) -> list[str]:
    context = click.Context(
        found, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    with context:
        text = found.get_help(context)
        parts = [f"\n### {context.command_path}\n\n```text\n{_trimmed(text)}\n```\n"]
        if isinstance(found, click.Group):
            for inner in found.list_commands(context):
                child = found.get_command(context, inner)
                assert child is not None
                parts += _described(child, inner, context)
    return parts


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
