"""What docs/mcp.md tells people to paste works as it stands, but for where the installation is."""

import json
import pathlib
import re

import anyio
from conftest import COMMAND, KEY, URL
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

DOCUMENT = (pathlib.Path(__file__).parents[2] / "docs/mcp.md").read_text()
STDIO, HTTP = [json.loads(block)["mcpServers"]["caisson"] for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.S)]
PYTHON = re.search(r"```python\n(.*?)```", DOCUMENT, re.S).group(1)


def test_stdio():
    assert STDIO["command"].endswith("/caisson")

    async def talk():
        with anyio.fail_after(60):
            async with Client(StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:-1], *STDIO["args"]], env={"CAISSON_URL": URL.removesuffix("/mcp"), "CAISSON_KEY": KEY})) as client:
                assert (await client.list_tools()).tools

    anyio.run(talk)


def test_http():
    assert HTTP["url"].endswith("/mcp")
    headers = {name: re.sub("e2b_[0-9a-f]{40}", KEY, value) for name, value in HTTP["headers"].items()}

    async def talk():
        with anyio.fail_after(60):
            async with create_mcp_http_client(headers=headers) as http, Client(streamable_http_client(URL, http_client=http)) as client:
                assert (await client.list_tools()).tools

    anyio.run(talk)


def test_python(capsys):
    lines = "".join(f"    {line}\n" for line in PYTHON.replace("http://127.0.0.1:7070/mcp", URL).splitlines())
    names = {"key": KEY, "Client": Client, "streamable_http_client": streamable_http_client, "create_mcp_http_client": create_mcp_http_client}
    exec("async def example():\n" + lines, names)
    anyio.run(names["example"])
    assert "Linux" in capsys.readouterr().out
