"""Commands on the command itself: login, completion, mcp."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click

from jobyard import config
from jobyard.cli.options import example, with_session
from jobyard.cli.session import Session, say
from jobyard.errors import JobyardError

SHELLS = ("bash", "zsh", "fish")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@click.command(
    epilog=example("jobyard login", "jobyard --url https://… --workspace acme login < token.txt")
)
@click.option("--as", "profile", metavar="NAME", help="The profile to store.  [default]")
@with_session
def login(session: Session, profile: str | None) -> None:
    """Store the API's URL and a token as a profile.

    One call is made first, to see that they work. It asks for what the options of `jobyard` do
    not give. The token is not shown; without a terminal it is read from stdin.
    """
    flags = session.flags
    is_asked = sys.stdin.isatty()
    token = flags["token"] or (None if is_asked else sys.stdin.readline().strip())
    url = _asked("url", "URL of the API", flags["url"], is_asked).rstrip("/")
    _check_url(url)
    workspace = _asked("workspace", "Workspace", flags["workspace"], is_asked)
    project = _asked("project", "Project", flags["project"], is_asked)
    token = token or click.prompt("Token (not shown)", hide_input=True, err=True).strip()
    settings = config.Settings(url, token, workspace, project)
    _check(settings)
    name = profile or session.profile or config.DEFAULT
    file = config.store(name, settings)
    say(f"Logged in to {workspace}/{project} at {url}; profile {name} is in {file}.")


def _asked(name: str, question: str, given: str | None, is_asked: bool) -> str:
    if given:
        return given
    if not is_asked:
        raise click.UsageError(f"stdin is no terminal, so nobody can be asked: give --{name}")
    return str(click.prompt(question, err=True)).strip()


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"{url!r} is no URL: write https://…")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        say("Warning: with http:// everybody on the way can read the token.")


def _check(settings: config.Settings) -> None:
    """One call that needs the token and the project; whatever is wrong ends the command."""
    from jobyard.client import Client

    with Client(
        settings.url, settings.token, workspace=settings.workspace, project=settings.project
    ) as client:
        for _ in client.jobs(limit=1):
            break


@click.command(
    epilog=example(
        "jobyard completion bash > ~/.local/share/bash-completion/completions/jobyard",
        'jobyard completion zsh > "${fpath[1]}/_jobyard"',
        "jobyard completion fish > ~/.config/fish/completions/jobyard.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a shell's completion script.

    It completes commands, options and the names of jobs.
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(root, {}, "jobyard", "_JOBYARD_COMPLETE").source())


@click.command(epilog=example("jobyard mcp", "jobyard mcp --allow-run"))
@click.option("--allow-run", is_flag=True, help="Also let it trigger and cancel runs.")
@with_session
def mcp(session: Session, allow_run: bool) -> None:
    """Serve jobs, runs and logs to an agent, by MCP.

    It speaks on stdin and stdout, and needs the extra: `pipx install 'jobyard[mcp]'`. Without
    --allow-run it only reads.
    """
    client = session.client
    try:
        from jobyard import mcp_server
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("mcp"):
            raise
        raise JobyardError("the extra is missing: pipx install 'jobyard[mcp]'") from error
    mcp_server.make(client, may_run=allow_run).run("stdio")
