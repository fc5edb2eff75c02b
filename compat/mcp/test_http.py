"""What the HTTP of /mcp refuses, and how."""

import json
import os
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import KEY, URL

ACCEPT = "application/json, text/event-stream"


def call(message=None, *, method="POST", key=KEY, session=None, body=None, **headers):
    sent = {"Accept": ACCEPT, "Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    if session:
        sent["Mcp-Session-Id"] = session
    data = body if body is not None else None if message is None else json.dumps(message).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(URL, data=data, method=method, headers=sent), timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def request(method, number=1, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def initialize(**headers):
    return call(request("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "t", "version": "1"}), **headers)


@pytest.fixture
def session():
    status, headers, _ = initialize()
    assert status == 200
    return headers["Mcp-Session-Id"]


def test_keys():
    for key in ("", "nonsense", "e2b_" + "0" * 40):
        status, headers, body = initialize(key=key)
        assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer") and json.loads(body)["error"]["message"]


def test_web_pages_are_refused():
    for origin in ("http://evil.example", "null", "http://127.0.0.1:7070"):
        status, headers, _ = initialize(Origin=origin)
        assert status == 403 and headers["Access-Control-Allow-Origin"] is None
        assert call(method="OPTIONS", Origin=origin)[0] == 403


def test_a_configured_page_may_call():
    origin = os.environ["CAISSON_MCP_TEST_ORIGIN"]
    status, headers, _ = call(method="OPTIONS", key=None, Origin=origin)
    assert status == 204 and headers["Access-Control-Allow-Origin"] == origin and "Authorization" in headers["Access-Control-Allow-Headers"]
    status, headers, _ = initialize(Origin=origin)
    assert status == 200 and headers["Access-Control-Allow-Origin"] == origin
    assert initialize(Origin=origin, key="")[0] == 401


def test_sessions(session):
    status, _, body = call(request("tools/list"), session=session)
    assert status == 200 and len(json.loads(body)["result"]["tools"]) == 12
    assert call(request("tools/list"))[0] == 400
    assert call(request("tools/list"), session="no-such-session")[0] == 404
    assert call({"jsonrpc": "2.0", "method": "notifications/initialized"}, session=session)[0] == 202
    assert call(method="DELETE", session=session)[0] == 204
    assert call(request("tools/list"), session=session)[0] == 404
    assert call(method="GET", session=session)[0] == 405


def test_a_session_belongs_to_its_key(session):
    other = os.environ["CAISSON_OTHER_KEY"]
    assert call(request("tools/list"), session=session, key=other)[0] == 404
    assert call(method="DELETE", session=session, key=other)[0] == 404
    assert call(request("tools/list"), session=session)[0] == 200


def test_a_key_that_opens_too_many_loses_the_oldest(session):
    for _ in range(64):
        assert initialize()[0] == 200
    assert call(request("tools/list"), session=session)[0] == 404


@pytest.mark.parametrize("body", [
    b"", b"x", b"[]", b"{}", b"null", b'"x"', b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"1.0","id":1,"method":"ping"}', b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":null,"method":"ping"}', b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 2000 + b"]" * 2000 + b"}", b"\xff\xfe{}", b'{"jsonrpc":"2.0","id":1,"result":{}}',
])
def test_what_is_no_message(session, body):
    status, _, answer = call(body=body, session=session)
    error = json.loads(answer)["error"]
    assert status == 400 and error["code"] in (-32700, -32600), (status, answer)
    assert "jackson" not in error["message"].lower() and "Exception" not in error["message"]


@pytest.mark.parametrize("params", [{}, {"name": 5}, {"name": "list_sandboxes", "arguments": "x"}, {"name": None}, {"name": "list_sandboxes", "_meta": 3}])
def test_parameters_that_are_none(session, params):
    status, _, answer = call(request("tools/call", **params), session=session)
    answer = json.loads(answer)
    assert status == 200 and answer["id"] == 1 and ("error" in answer or answer["result"]["isError"]), answer
    assert "jackson" not in json.dumps(answer).lower() and "java." not in json.dumps(answer)


def test_bounds(session):
    # Refused by its head alone, before any of it is sent.
    address = urllib.parse.urlsplit(URL)
    with socket.create_connection((address.hostname, address.port), 30) as raw:
        raw.sendall(f"POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nAccept: {ACCEPT}\r\nContent-Type: application/json\r\nContent-Length: {7 << 20}\r\n\r\n".encode())
        assert raw.recv(64).startswith(b"HTTP/1.1 413 ")
    assert call(request("ping", x="a" * (5 << 20)), session=session)[0] == 200
    assert call(request("ping"), session=session, Content_Type="text/plain")[0] == 415
    assert call(request("ping"), session=session, Content_Encoding="gzip")[0] == 415
    assert call(request("ping"), session=session, Accept="application/json")[0] == 406
    assert call(request("ping"), session=session, Mcp_Protocol_Version="1999-01-01")[0] == 400
    assert call(request("ping"), session=session)[0] == 200
    status, _, answer = call(request("no/such/method"), session=session)
    assert json.loads(answer)["error"]["code"] == -32601


def test_cancelled_before_it_came(session):
    assert call({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}, session=session)[0] == 202
    status, headers, answer = call(request("tools/call", 7, name="list_sandboxes", arguments={}), session=session)
    assert status == 200 and b"result" not in answer


def test_the_end_of_a_session_ends_its_commands(session):
    def tool(name, number, within=session, **arguments):
        return call(request("tools/call", number, name=name, arguments=arguments), session=within)

    _, _, answer = tool("create_sandbox", 1)
    box = json.loads(answer)["result"]["structuredContent"]["sandbox_id"]
    running = threading.Thread(target=tool, args=("run_command", 2), kwargs={"sandbox_id": box, "command": "touch started; sleep 60; touch finished"})
    running.start()
    other = initialize()[1]["Mcp-Session-Id"]
    wait = "until [ -e started ]; do sleep 0.1; done"
    assert json.loads(tool("run_command", 1, other, sandbox_id=box, command=wait)[2])["result"]["structuredContent"]["exit_status"] == 0
    assert call(method="DELETE", session=session)[0] == 204
    running.join(20)
    assert not running.is_alive()
    look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 60'; ls"
    found = json.loads(tool("run_command", 2, other, sandbox_id=box, command=look)[2])["result"]["structuredContent"]["stdout"]
    assert found == "0\nstarted\n"
    tool("kill_sandbox", 3, other, sandbox_id=box)
