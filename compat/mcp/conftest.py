"""One client a test, over each transport. CAISSON_URL and CAISSON_KEY name the installation, CAISSON_MCP_COMMAND (a JSON list) the stdio server."""

import json
import os
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

URL = os.environ["CAISSON_URL"].rstrip("/") + "/mcp"
KEY = os.environ["CAISSON_KEY"]
COMMAND = json.loads(os.environ["CAISSON_MCP_COMMAND"])


@asynccontextmanager
async def over_http(key=KEY):
    async with create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            yield client


@asynccontextmanager
async def over_stdio(key=KEY):
    environment = {**os.environ, "CAISSON_KEY": key}
    async with Client(StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environment)) as client:
        yield client


@pytest.fixture(params=[over_http, over_stdio], ids=["http", "stdio"])
def connect(request):
    return request.param


@pytest.fixture
def conversation(connect):
    """Runs one conversation with the server, in at most two minutes."""

    def run(talk):
        async def whole():
            with anyio.fail_after(120):
                async with connect() as client:
                    await talk(client)

        anyio.run(whole)

    return run


@asynccontextmanager
async def sandbox(client, **arguments):
    made = await client.call_tool("create_sandbox", {"timeout_seconds": 300, **arguments})
    assert not made.is_error, made
    sandbox_id = made.structured_content["sandbox_id"]
    try:
        yield sandbox_id
    finally:
        with anyio.CancelScope(shield=True):
            await client.call_tool("kill_sandbox", {"sandbox_id": sandbox_id})


async def ok(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return result.structured_content


async def refused(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    return result.content[0].text
