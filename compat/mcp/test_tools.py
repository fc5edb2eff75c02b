"""Every tool, as a model's client would use it."""

import base64

import anyio
import pytest
from conftest import ok, over_http, over_stdio, refused, sandbox
from jsonschema import Draft202012Validator
from mcp.shared.exceptions import MCPError

TOOLS = {
    "create_sandbox", "list_sandboxes", "extend_sandbox", "kill_sandbox", "get_receipt", "run_command", "run_code",
    "read_file", "write_file", "list_directory", "expose_port", "list_egress",
}
NOBODY = "sb" + "a" * 18


def test_says_what_there_is(conversation):
    async def talk(client):
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == TOOLS
        for tool in tools:
            Draft202012Validator.check_schema(tool.input_schema)
            Draft202012Validator.check_schema(tool.output_schema)
            assert tool.input_schema["type"] == "object" and tool.input_schema["additionalProperties"] is False
            # Models' own APIs refuse these at the top.
            assert not {"oneOf", "anyOf", "allOf"} & set(tool.input_schema)
        words = " ".join(tool.description for tool in tools)
        assert "no network" in words and "exit status" in words

    conversation(talk)


def test_a_whole_task(conversation):
    async def talk(client):
        made = await ok(client, "create_sandbox", timeout_seconds=120, memory="256MiB", cpus=0.5, env={"GREETING": "hello"})
        box = made["sandbox_id"]
        assert made["memory"] == "256MiB" and made["cpus"] == "0.5"
        assert box in [each["sandbox_id"] for each in (await ok(client, "list_sandboxes"))["sandboxes"]]

        ran = await ok(client, "run_command", sandbox_id=box, command="echo $GREETING; echo oops >&2; exit 3")
        assert (ran["exit_status"], ran["stdout"], ran["stderr"], ran["outcome"]) == (3, "hello\n", "oops\n", "exited")
        ran = await ok(client, "run_command", sandbox_id=box, command=["printf", "%s", "$GREETING"], cwd="/tmp")
        assert ran["stdout"] == "$GREETING"

        for language, code in {"python": "print(6 * 7)", "javascript": "console.log(6 * 7)", "bash": "echo $((6 * 7))"}.items():
            ran = await ok(client, "run_code", sandbox_id=box, language=language, code=code)
            if language == "javascript" and ran["exit_status"] == 127:
                continue
            assert ran["stdout"] == "42\n", ran

        assert (await ok(client, "write_file", sandbox_id=box, path="deep/er/ä.txt", content="grüße\n"))["size_bytes"] == 8
        read = await ok(client, "read_file", sandbox_id=box, path="deep/er/ä.txt")
        assert (read["content"], read["encoding"], read["truncated"]) == ("grüße\n", "text", False)
        blob = bytes(range(256))
        await ok(client, "write_file", sandbox_id=box, path="/tmp/blob", content=base64.b64encode(blob).decode(), encoding="base64")
        read = await ok(client, "read_file", sandbox_id=box, path="/tmp/blob", offset=10, max_bytes=100)
        assert (base64.b64decode(read["content"]), read["encoding"], read["next_offset"]) == (blob[10:110], "base64", 110)
        listed = await ok(client, "list_directory", sandbox_id=box, path="deep", depth=2)
        assert [entry["kind"] for entry in listed["entries"]] == ["directory", "file"] and not listed["truncated"]

        # A server that `caisson mcp` starts for itself has a domain of this machine; the one that the test starts has none.
        answer = await client.call_tool("expose_port", {"sandbox_id": box, "port": 8000})
        text = answer.content[0].text
        assert ("no domain is configured" in text) if answer.is_error else (box in text and "caisson-link=" in text), text
        await ok(client, "extend_sandbox", sandbox_id=box, timeout_seconds=600)
        receipt = await ok(client, "kill_sandbox", sandbox_id=box)
        assert receipt["reason"] == "deleted" and receipt["leaks"] == 0
        assert (await ok(client, "get_receipt", sandbox_id=box))["sandbox_id"] == box
        assert "sandbox-not-found" in await refused(client, "run_command", sandbox_id=box, command="true")

    conversation(talk)


def test_no_way_out(conversation):
    async def talk(client):
        async with sandbox(client) as box:
            ran = await ok(client, "run_code", sandbox_id=box, language="python", code="import socket; socket.create_connection(('1.1.1.1', 80), 3)")
            assert ran["exit_status"] == 1 and "Error" in ran["stderr"]

    conversation(talk)


def test_timeouts_and_memory_are_results(conversation):
    async def talk(client):
        async with sandbox(client, memory="128MiB") as box:
            ran = await ok(client, "run_command", sandbox_id=box, command="echo started; sleep 60", timeout_seconds=1)
            assert ran["timed_out"] and ran["exit_status"] == 124 and ran["stdout"] == "started\n"
        made = await ok(client, "create_sandbox", memory="128MiB")
        ran = await ok(client, "run_code", sandbox_id=made["sandbox_id"], language="python", code="x = bytearray(600 << 20)\nx[::4096] = b'1' * len(x[::4096])")
        assert ran["exit_status"] == 137 and ran["killed_for_memory"], ran

    conversation(talk)


def test_a_huge_output_is_cut(conversation):
    async def talk(client):
        async with sandbox(client) as box:
            ran = await ok(client, "run_command", sandbox_id=box, command="echo first; seq 1 3000000; echo last; head -c 100000 /dev/urandom >&2", max_output_bytes=65536)
            assert ran["exit_status"] == 0 and ran["truncated"]
            assert ran["stdout_bytes"] == 22888896 + 11 and ran["stderr_bytes"] == 100000
            assert ran["stdout"].startswith("first\n1\n") and ran["stdout"].endswith("3000000\nlast\n") and "bytes left out" in ran["stdout"]
            assert len(ran["stdout"]) < 66000

    conversation(talk)


def test_a_cancelled_command_is_ended(conversation):
    async def talk(client):
        async with sandbox(client) as box:
            async def sleep():
                await client.call_tool("run_command", {"sandbox_id": box, "command": "trap '' HUP; sleep 60; echo done"})

            async def running():
                return (await ok(client, "run_command", sandbox_id=box, command="cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 60' || true"))["stdout"].strip()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(sleep)
                with anyio.fail_after(20):
                    while await running() == "0":
                        await anyio.sleep(0.1)
                tasks.cancel_scope.cancel()
            with anyio.fail_after(10):
                while await running() != "0":
                    await anyio.sleep(0.1)

    conversation(talk)


def test_progress_of_a_long_command(conversation):
    async def talk(client):
        told = []

        async def progress(done, total, message):
            told.append((done, total, message))

        async with sandbox(client) as box:
            result = await client.call_tool("run_command", {"sandbox_id": box, "command": "echo abc; sleep 3.5", "timeout_seconds": 30}, progress_callback=progress)
            assert not result.is_error and result.structured_content["exit_status"] == 0
        assert len(told) in (2, 3, 4) and told == sorted(told), told
        assert told[-1][1] == 30 and "4 bytes" in told[-1][2]

    conversation(talk)


def test_many_at_once(conversation):
    async def talk(client):
        async with sandbox(client) as box:
            answers = {}

            async def one(number):
                answers[number] = (await ok(client, "run_command", sandbox_id=box, command=f"sleep 0.2; echo {number}"))["stdout"]

            async with anyio.create_task_group() as tasks:
                for number in range(10):
                    tasks.start_soon(one, number)
            assert answers == {number: f"{number}\n" for number in range(10)}

    conversation(talk)


def test_unknown_tool(conversation):
    async def talk(client):
        with pytest.raises(MCPError) as error:
            await client.call_tool("rm_rf", {})
        assert error.value.error.code == -32602

    conversation(talk)


BAD = [
    ("create_sandbox", {"network": True}),
    ("create_sandbox", {"timeout_seconds": 0}),
    ("create_sandbox", {"timeout_seconds": "60"}),
    ("create_sandbox", {"memory": "much"}),
    ("create_sandbox", {"cpus": 1000}),
    ("create_sandbox", {"env": {"A": 1}}),
    ("run_command", {"sandbox_id": NOBODY}),
    ("run_command", {"sandbox_id": NOBODY, "command": []}),
    ("run_command", {"sandbox_id": NOBODY, "command": ""}),
    ("run_command", {"sandbox_id": NOBODY, "command": ["a", 1]}),
    ("run_command", {"sandbox_id": "../../etc", "command": "true"}),
    ("run_command", {"sandbox_id": NOBODY, "command": "true", "max_output_bytes": 10**9}),
    ("run_command", {"sandbox_id": NOBODY, "command": "true", "cwd": "home"}),
    ("run_code", {"sandbox_id": NOBODY, "language": "cobol", "code": "x"}),
    ("run_code", {"sandbox_id": NOBODY, "language": "python", "code": "x" * 200_000}),
    ("read_file", {"sandbox_id": NOBODY, "path": ""}),
    ("read_file", {"sandbox_id": NOBODY, "path": "x", "offset": -1}),
    ("read_file", {"sandbox_id": NOBODY, "path": "x" * 5000}),
    ("write_file", {"sandbox_id": NOBODY, "path": "x"}),
    ("write_file", {"sandbox_id": NOBODY, "path": "x", "content": "x", "encoding": "rot13"}),
    ("list_directory", {"sandbox_id": NOBODY, "depth": 99}),
    ("expose_port", {"sandbox_id": NOBODY, "port": 0}),
    ("expose_port", {"sandbox_id": NOBODY, "port": 65536}),
    ("expose_port", {"sandbox_id": NOBODY, "port": "80"}),
    ("kill_sandbox", {}),
]
GOOD = [
    ("run_command", {"sandbox_id": NOBODY, "command": "true", "cwd": "", "user": "root", "timeout_seconds": 86400, "max_output_bytes": 1, "env": {"A": ""}}),
    ("run_command", {"sandbox_id": NOBODY, "command": ["true", ""]}),
    ("run_code", {"sandbox_id": NOBODY, "language": "bash", "code": "x" * 131_071}),
    ("read_file", {"sandbox_id": NOBODY, "path": "x", "offset": 0, "max_bytes": 131072}),
    ("write_file", {"sandbox_id": NOBODY, "path": "x", "content": ""}),
    ("list_directory", {"sandbox_id": NOBODY}),
    ("kill_sandbox", {"sandbox_id": NOBODY}),
    ("get_receipt", {"sandbox_id": NOBODY}),
]


def test_the_schemas_say_exactly_what_is_taken(conversation):
    async def talk(client):
        schemas = {tool.name: Draft202012Validator(tool.input_schema) for tool in (await client.list_tools()).tools}
        for tool, arguments in BAD:
            assert not schemas[tool].is_valid(arguments), (tool, arguments)
            said = await refused(client, tool, **arguments)
            assert said.startswith(("bad-request: ", "out-of-range: ")), (tool, arguments, said)
        for tool, arguments in GOOD:
            assert schemas[tool].is_valid(arguments), (tool, arguments)
            assert "-not-found: " in await refused(client, tool, **arguments), (tool, arguments)

    conversation(talk)


@pytest.mark.parametrize("connect_to", [over_http, over_stdio], ids=["http", "stdio"])
def test_a_wrong_key_opens_nothing(connect_to):
    async def whole():
        with anyio.fail_after(30):
            async with connect_to(key="e2b_" + "0" * 40) as client:
                await client.list_tools()

    with pytest.raises(BaseException) as error:
        anyio.run(whole)
    assert not isinstance(error.value, TimeoutError)
