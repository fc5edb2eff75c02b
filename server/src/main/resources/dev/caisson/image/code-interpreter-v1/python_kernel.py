"""The Python kernel: ipykernel in a process of its own, spoken to with Jupyter's messages over unix sockets."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import tempfile
import uuid

from . import copies
from .process_kernel import KernelDied
from .variables import Variables

PORTS = ("shell", "iopub", "stdin", "control", "hb")


class PythonKernel:
    """One run at a time."""

    def __init__(self, cwd, language="python"):
        self.cwd = cwd
        self.language = language
        self._process = None
        self._client = None
        self._watch = copies.Watch()
        self._variables = Variables()

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def start(self):
        """Starts the process; that takes a second or two until it answers, and nothing here waits for that.

        Errors: an OSError, such as for a directory that is not there.
        """
        self.stop()
        self._watch = copies.Watch()
        self._variables = Variables()
        self._directory = tempfile.TemporaryDirectory(prefix="kernel-", dir="/run" if os.access("/run", os.W_OK) else None)
        self._file = os.path.join(self._directory.name, "connection.json")
        connection = {"transport": "ipc", "ip": os.path.join(self._directory.name, "socket"), "key": uuid.uuid4().hex, "signature_scheme": "hmac-sha256"}
        connection.update({f"{name}_port": number for number, name in enumerate(PORTS, 1)})
        with open(self._file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(connection, file)
        # It ends when we do.
        environment = {**self._variables.environment(), "JPY_PARENT_PID": str(os.getpid())}
        self._process = subprocess.Popen(
            ["python3", "-P", "-m", "ipykernel_launcher", "-f", self._file, "--ext=caisson_interpreter.rich", "--InteractiveShell.colors=NoColor",
             "--HistoryManager.enabled=False", "--no-secure"],
            cwd=self.cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def stop(self):
        """Ends the process and what it started; safe to call twice."""
        if self._client is not None:
            self._client.stop_channels()
            self._client = None
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._process.wait()
            self._process = None
            self._directory.cleanup()

    def interrupt(self):
        if self.alive():
            os.killpg(self._process.pid, signal.SIGINT)

    async def ready(self):
        """Waits until the kernel answers and its output is heard. Errors: KernelDied."""
        if self._client is not None:
            return
        from jupyter_client.asynchronous import AsyncKernelClient

        client = AsyncKernelClient(connection_file=self._file)
        client.load_connection_file()
        client.start_channels(stdin=False, hb=False)
        # What is published before our subscription has arrived is lost: ask until an answer is heard on both channels.
        heard = False
        answered = False
        while not (heard and answered):
            self._refuse_dead()
            client.kernel_info()
            answered = await _got(client.get_shell_msg, 0.25) or answered
            heard = await _got(client.get_iopub_msg, 0.1) or heard
        while await _got(client.get_shell_msg, 0.02) or await _got(client.get_iopub_msg, 0.02):
            pass
        self._client = client

    def _refuse_dead(self):
        if not self.alive():
            raise KernelDied()

    async def run(self, code, env, put, count):
        """Errors: KernelDied."""
        await self.ready()
        if self._watch.copied():
            await self._silently("__import__('caisson_interpreter.copies', fromlist=['copies']).reseed()")
        changes = self._variables.changes()
        if changes:
            await self._silently(f"__import__('caisson_interpreter.rich', fromlist=['rich']).put({changes!r})")
        if env:
            await self._silently(f"__import__('caisson_interpreter.rich', fromlist=['rich']).environment({env!r})")
        # Its own count of executions is told as soon as it begins.
        await self._follow(self._client.execute(code, store_history=True, allow_stdin=False, stop_on_error=False), put)
        if env:
            await self._silently("__import__('caisson_interpreter.rich', fromlist=['rich']).environment({})")

    async def _silently(self, code):
        await self._follow(self._client.execute(code, silent=True, store_history=False, allow_stdin=False, stop_on_error=False), lambda _: None)

    async def _follow(self, request, put):
        client = self._client
        idle = replied = False
        while not (idle and replied):
            channel = client.get_shell_msg if idle else client.get_iopub_msg
            try:
                message = await channel(timeout=0.5)
            except queue.Empty:
                self._refuse_dead()
                if self._client is not client:
                    raise KernelDied() from None
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            if idle:
                replied = True
            elif message["msg_type"] == "status":
                idle = message["content"]["execution_state"] == "idle"
            else:
                for event in _events(message["msg_type"], message["content"]):
                    put(event)


async def _got(channel, seconds):
    try:
        await channel(timeout=seconds)
        return True
    except queue.Empty:
        return False


def _events(kind, content):
    """What a message of the kernel means for a client."""
    if kind == "stream":
        yield {"type": content["name"], "text": content["text"]}
    elif kind in ("display_data", "execute_result"):
        data = dict(content["data"])
        text = data.get("text/plain")
        # A string is shown as itself, not as a literal.
        if text and len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            data["text/plain"] = text[1:-1]
        yield {"type": "result", "main": kind == "execute_result", "data": data}
    elif kind == "error":
        yield {"type": "error", "name": content["ename"], "value": content["evalue"], "traceback": "\n".join(content["traceback"])}
    elif kind == "execute_input":
        yield {"type": "number_of_executions", "execution_count": content["execution_count"]}
