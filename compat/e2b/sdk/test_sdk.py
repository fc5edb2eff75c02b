"""The published Python client of E2B over a Caisson: point E2B_API_URL, E2B_SANDBOX_URL and E2B_API_KEY at one and run pytest."""
import time
import urllib.error
import urllib.request
import uuid

import pytest
from e2b import (AsyncSandbox, AuthenticationException, CommandExitException, FileNotFoundException, InvalidArgumentException, NotFoundException,
                 Sandbox, SandboxException, SandboxNotFoundException, SandboxQuery, SandboxState, TimeoutException)
from e2b.sandbox.commands.command_handle import PtySize


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox.create(timeout=300, metadata={"caisson.x": "a=b&c d/ü"}, envs={"FROM_CREATE": "yes"})
    yield made
    made.kill()


def test_lives_and_ends():
    box = Sandbox.create(timeout=60)
    assert box.is_running()
    assert Sandbox.connect(box.sandbox_id).commands.run("echo again").stdout == "again\n"
    box.set_timeout(1)
    time.sleep(4)
    assert not box.is_running()
    assert not box.kill()
    with pytest.raises(SandboxNotFoundException):
        Sandbox.get_info(box.sandbox_id)
    with pytest.raises(TimeoutException):
        box.files.list("/")


def test_connect_never_shortens(sandbox):
    before = sandbox.get_info().end_at
    Sandbox.connect(sandbox.sandbox_id, timeout=5)
    assert sandbox.get_info().end_at == before


def test_metadata_comes_back_and_is_found(sandbox):
    assert sandbox.get_info().metadata == {"caisson.x": "a=b&c d/ü"}
    found = Sandbox.list(query=SandboxQuery(metadata={"caisson.x": "a=b&c d/ü"}, state=[SandboxState.RUNNING])).next_items()
    assert sandbox.sandbox_id in [one.sandbox_id for one in found]
    assert Sandbox.list(query=SandboxQuery(metadata={"caisson.x": str(uuid.uuid4())})).next_items() == []


def test_pauses_and_goes_on():
    box = Sandbox.create(timeout=60)
    box.commands.run("sleep 1000", background=True)
    box.pause()
    assert not box.is_running()
    assert box.get_info().state == SandboxState.PAUSED
    again = Sandbox.connect(box.sandbox_id)
    assert [one.args[-1] for one in again.commands.list()] == ["sleep 1000"]
    again.kill()


def test_commands(sandbox):
    result = sandbox.commands.run("echo $FROM_CREATE $MORE $E2B_SANDBOX_ID; pwd; echo err >&2", envs={"MORE": "too"}, cwd="/tmp")
    assert result.stdout == f"yes too {sandbox.sandbox_id}\n/tmp\n"
    assert result.stderr == "err\n"
    assert sandbox.commands.run("id -un", user="root").stdout == "root\n"
    with pytest.raises(CommandExitException) as failed:
        sandbox.commands.run("exit 3")
    assert failed.value.exit_code == 3
    with pytest.raises(TimeoutException):
        sandbox.commands.run("sleep 30", timeout=1)
    with pytest.raises(InvalidArgumentException):
        sandbox.commands.run("true", cwd="/nowhere")
    with pytest.raises(AuthenticationException):
        sandbox.commands.run("true", user="nobody-of-that-name")
    assert not sandbox.commands.kill(999_999)


def test_input_and_reconnect(sandbox):
    command = sandbox.commands.run("cat; echo over", background=True, stdin=True)
    sandbox.commands.send_stdin(command.pid, "a line\n")
    time.sleep(1)
    command.disconnect()
    again = sandbox.commands.connect(command.pid)
    sandbox.commands.send_stdin(command.pid, "second\n")
    sandbox.commands.close_stdin(command.pid)
    assert again.wait().stdout == "second\nover\n"
    with pytest.raises(NotFoundException):
        sandbox.commands.send_stdin(command.pid, "late")


def test_pty(sandbox):
    seen = bytearray()
    pty = sandbox.pty.create(PtySize(rows=24, cols=80))
    sandbox.pty.resize(pty.pid, PtySize(rows=30, cols=100))
    sandbox.pty.send_stdin(pty.pid, b"stty size; exit\n")
    pty.wait(on_pty=seen.extend)
    assert b"30 100" in seen


def test_files(sandbox):
    info = sandbox.files.write("dir/ü b.txt", "hällo", metadata={"who": "me"})
    assert info.path == "/home/user/dir/ü b.txt"
    assert sandbox.files.read("dir/ü b.txt") == "hällo"
    assert sandbox.files.read("~/dir/ü b.txt", gzip=True) == "hällo"
    entry = sandbox.files.get_info("dir/ü b.txt")
    assert (entry.size, entry.permissions, entry.owner, entry.metadata) == (6, "-rw-r--r--", "user", {"who": "me"})
    assert sandbox.files.make_dir("dir/sub") and not sandbox.files.make_dir("dir/sub")
    assert [one.name for one in sandbox.files.list("dir")] == ["sub", "ü b.txt"]
    assert sandbox.files.rename("dir/ü b.txt", "dir/c").path == "/home/user/dir/c"
    assert sandbox.files.exists("dir/c") and not sandbox.files.exists("dir/ü b.txt")
    sandbox.files.remove("dir")
    with pytest.raises(FileNotFoundException):
        sandbox.files.read("dir/c")
    with pytest.raises(InvalidArgumentException):
        sandbox.files.read("/tmp")
    big = bytes(range(256)) * 4096 * 8
    sandbox.files.write("big", big)
    sandbox.files.write("packed", big, gzip=True)
    assert sandbox.files.read("big", format="bytes") == big == sandbox.files.read("packed", format="bytes")
    assert len(sandbox.files.write_files([{"path": f"many/{i}", "data": str(i)} for i in range(5)])) == 5


def test_watch(sandbox):
    sandbox.files.make_dir("watched")
    watch = sandbox.files.watch_dir("watched", recursive=True)
    sandbox.commands.run("echo x > watched/a; rm watched/a")
    events = watch.get_new_events()
    for _ in range(50):
        if any(one.type.value == "remove" for one in events):
            break
        time.sleep(0.1)
        events += watch.get_new_events()
    assert {one.type.value for one in events} >= {"create", "remove"}
    watch.stop()


def test_signed_links(sandbox):
    sandbox.files.write("signed", "for you")
    assert urllib.request.urlopen(sandbox.download_url("signed")).read() == b"for you"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(sandbox.download_url("signed").replace("path=signed", "path=other"))
    assert refused.value.code == 401


def test_refusals(sandbox):
    with pytest.raises(AuthenticationException):
        Sandbox.create(api_key="e2b_" + "f" * 40)
    with pytest.raises(SandboxNotFoundException):
        Sandbox.connect("sbaaaaaaaaaaaaaaaaaa")
    with pytest.raises(SandboxException):
        Sandbox.create("no-such-template")
    with pytest.raises(SandboxException, match="internet"):
        Sandbox.create(allow_internet_access=True)
    with pytest.raises(SandboxException, match="not supported"):
        sandbox.create_snapshot()
    Sandbox.create(allow_internet_access=False, timeout=10).kill()


async def test_async():
    box = await AsyncSandbox.create(timeout=120)
    try:
        assert (await box.commands.run("echo hi")).stdout == "hi\n"
        await box.files.write("a", b"\x00\xff")
        assert await box.files.read("a", format="bytes") == b"\x00\xff"
        seen = []
        watch = await box.files.watch_dir(".", on_event=lambda event: seen.append(event.name))
        command = await box.commands.run("echo y > watched-file; cat", background=True, stdin=True)
        await box.commands.send_stdin(command.pid, "in\n")
        await box.commands.close_stdin(command.pid)
        assert (await command.wait()).stdout == "in\n"
        await watch.stop()
        assert "watched-file" in seen
        assert await box.is_running()
    finally:
        assert await box.kill()
