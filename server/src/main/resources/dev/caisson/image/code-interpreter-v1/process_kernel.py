"""Kernels that are programs of our own: they take requests on one pipe and answer with lines of JSON on another."""

import asyncio
import codecs
import fcntl
import json
import os
import re
import shlex
import signal
import subprocess

from . import copies
from .variables import Variables

HERE = os.path.dirname(__file__)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class KernelDied(Exception):
    """The program that ran the code is gone."""


class ProcessKernel:
    """A child process with pipes for requests, events, stdout and stderr. One run at a time."""

    def __init__(self, cwd, language):
        self.cwd = cwd
        self.language = language
        self._process = None
        self._watch = copies.Watch()
        self._variables = Variables()

    def argv(self, requests, events):
        raise NotImplementedError

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def start(self):
        """Errors: an OSError, such as for a directory that is not there."""
        self.stop()
        self._watch = copies.Watch()
        self._variables = Variables()
        for_child, self._requests = os.pipe()
        self._events, from_child = os.pipe()
        for_child, from_child = _high(for_child), _high(from_child)
        try:
            self._process = subprocess.Popen(
                self.argv(for_child, from_child), cwd=self.cwd, env=self._variables.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                bufsize=0, pass_fds=(for_child, from_child), start_new_session=True)
        except OSError:
            os.close(self._requests)
            os.close(self._events)
            raise
        finally:
            os.close(for_child)
            os.close(from_child)
        self._done = None
        self._put = None
        self._line = b""
        self._decoders = {}
        loop = asyncio.get_running_loop()
        for name, fd in self._outputs():
            os.set_blocking(fd, False)
            self._decoders[fd] = codecs.getincrementaldecoder("utf-8")("replace")
            loop.add_reader(fd, self._read_output, name, fd)
        os.set_blocking(self._events, False)
        loop.add_reader(self._events, self._read_events)

    def _outputs(self):
        return (("stdout", self._process.stdout.fileno()), ("stderr", self._process.stderr.fileno()))

    def stop(self):
        """Ends the program and what it started; safe to call twice."""
        if self._process is None:
            return
        loop = asyncio.get_running_loop()
        for _, fd in (*self._outputs(), ("events", self._events)):
            loop.remove_reader(fd)
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()
        os.close(self._requests)
        os.close(self._events)
        self._process = None
        self._fail()

    def _fail(self):
        if self._done is not None and not self._done.done():
            self._done.set_exception(KernelDied())

    def interrupt(self):
        if self.alive():
            os.killpg(self._process.pid, signal.SIGINT)

    async def request(self, payload, put):
        """Sends one piece of code and waits for its status; events go to put. Errors: KernelDied."""
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        self._put = put
        try:
            await loop.run_in_executor(None, self._write, payload)
            return await self._done
        finally:
            self._put = None
            self._done = None

    def _write(self, payload):
        view = memoryview(payload)
        try:
            while view:
                view = view[os.write(self._requests, view):]
        except OSError as e:
            raise KernelDied() from e

    def _read_output(self, name, fd):
        """Passes on what there is; false at the end."""
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(fd)
            return False
        text = self._decoders[fd].decode(data)
        # Nobody waits for what is printed between two runs.
        if text and self._put is not None:
            self._put({"type": name, "text": text})
        return True

    def _read_events(self):
        try:
            data = os.read(self._events, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._events)
            self._fail()
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if self._put is None or self._done is None or self._done.done():
                continue
            if event.get("type") == "done":
                # All that it printed was written before.
                for name, fd in self._outputs():
                    while self._read_output(name, fd):
                        pass
                self._done.set_result(event.get("status", 0))
            else:
                self._put(event)


class JavaScriptKernel(ProcessKernel):
    def argv(self, requests, events):
        return ["node", f"{HERE}/kernel.js", str(requests), str(events)]

    async def run(self, code, env, put, count):
        put({"type": "number_of_executions", "execution_count": count})
        if self._watch.copied():
            if count == 1:
                # Nothing is lost, and Node's own OpenSSL, which cannot be given a seed, begins anew too.
                self.start()
            else:
                await self.request(json.dumps({"seed": copies.number(31)}).encode() + b"\n", put)
        changes = self._variables.changes()
        if changes:
            await self.request(json.dumps({"variables": changes}).encode() + b"\n", put)
        await self.request(json.dumps({"code": code, "env": env, "language": self.language}).encode() + b"\n", put)


class BashKernel(ProcessKernel):
    def argv(self, requests, events):
        return ["bash", f"{HERE}/kernel.bash", str(requests), str(events)]

    async def run(self, code, env, put, count):
        put({"type": "number_of_executions", "execution_count": count})
        if self._watch.copied():
            await self.request(_piece(f"RANDOM={copies.number(32)}"), lambda _: None)
        changes = {name: value for name, value in self._variables.changes().items() if NAME.fullmatch(name)}
        if changes:
            given = "".join(f"unset {name}\n" if value is None else f"export {name}={shlex.quote(value)}\n" for name, value in changes.items())
            await self.request(_piece(given), lambda _: None)
        names = [name for name in env if NAME.fullmatch(name)]
        if names:
            before = "".join(
                f"__had_{name}=${{{name}+x}} __was_{name}=${{{name}-}}; export {name}={shlex.quote(env[name])}\n" for name in names)
            await self.request(_piece(before), lambda _: None)
        status = await self.request(_piece(code), put)
        if status != 0:
            put({"type": "error", "name": "ExitStatus", "value": str(status), "traceback": f"the last command ended with status {status}"})
        if names:
            after = "".join(
                f'if [[ -n $__had_{name} ]]; then export {name}="$__was_{name}"; else unset {name}; fi; unset __had_{name} __was_{name}\n' for name in names)
            await self.request(_piece(after), lambda _: None)


def _high(fd):
    """The same descriptor with a number that no script uses itself."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(fd)
    return high


def _piece(code):
    # A NUL ends a piece, and no line of Bash has one.
    return code.replace("\0", "").encode("utf-8", "surrogateescape") + b"\0"
