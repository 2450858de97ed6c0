"""`jobyard mcp`, called by the client of the MCP package."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client

from tests.cli.local_stack import COMMAND, Shell

READING = {"list_jobs", "get_job", "list_runs", "get_run", "get_logs", "get_status"}
ACTING = {"trigger_run", "cancel_run"}


def used(shell: Shell, use: Callable[[Client], Awaitable[Any]], *options: str) -> Any:
    """Start the server as an agent does, and return what `use` returns for a client of it."""

    async def connected() -> Any:
        server = StdioServerParameters(
            command=COMMAND[0],
            args=[*COMMAND[1:], "mcp", *options],
            env=shell.environment,
            cwd=shell.directory,
        )
        async with Client(stdio_client(server)) as client:
            return await use(client)

    return asyncio.run(connected())


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool that must succeed, and return its data."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return result.structured_content or json.loads(result.content[0].text)  # type: ignore[union-attr]  # text


def test_without_allow_run_an_agent_can_only_read(shell: Shell) -> None:
    """The tools that act do not exist then, and the others are marked as read-only."""

    async def look(client: Client) -> Any:
        tools = (await client.list_tools()).tools
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
        refused = await client.call_tool("trigger_run", {"job": "fails"})
        return {tool.name for tool in tools}, refused.is_error

    assert used(shell, look) == (READING, True)


def test_an_agent_finds_out_why_a_run_failed(shell: Shell) -> None:
    """It gets the status, the runs, the failed run's error, hint and last lines, and the logs."""
    shell.create("fails", "for n in $(seq 30); do echo line $n; done; exit 3")
    shell("run", "fails", "--wait", status=3)

    async def ask(client: Client) -> None:
        status = await call(client, "get_status")
        assert status["jobs"][0]["consecutive_failures"] == 1
        assert (await call(client, "list_jobs"))["jobs"][0]["name"] == "fails"
        assert (await call(client, "get_job", job="fails"))["image"] == "any"
        (run,) = (await call(client, "list_runs", status="failed"))["runs"]
        found = await call(client, "get_run", run_id=run["id"])
        assert found["run"]["error"]["hint"]
        assert found["last_lines"] == [f"line {n}" for n in range(11, 31)]
        logs = await call(client, "get_logs", job="fails", contains="line 7")
        assert [line["message"] for line in logs["logs"]] == ["line 7"]

    used(shell, ask)


def test_with_allow_run_an_agent_can_trigger_and_cancel(shell: Shell) -> None:
    """These tools are marked as not read-only."""
    shell.create("long", "sleep 600")

    async def act(client: Client) -> set[str]:
        tools = (await client.list_tools()).tools
        acting = {t.name for t in tools if t.annotations and not t.annotations.read_only_hint}
        run = (await call(client, "trigger_run", job="long"))["run"]
        assert (await call(client, "cancel_run", run_id=run["id"]))["run"]["status"] == "cancelled"
        return acting

    assert used(shell, act, "--allow-run") == ACTING


def test_the_agent_receives_the_apis_message_of_a_refusal(shell: Shell) -> None:
    """The agent gets the message, not a traceback."""

    async def ask(client: Client) -> Any:
        result = await client.call_tool("get_job", {"job": "nothing"})
        return result.is_error, str(result.content)

    is_error, text = used(shell, ask)
    assert is_error
    assert "no job named 'nothing'" in text
