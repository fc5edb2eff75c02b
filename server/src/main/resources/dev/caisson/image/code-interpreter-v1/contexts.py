"""Contexts: each runs code of one language, one piece at a time, and keeps its state."""

import asyncio
import datetime
import json
import uuid

from .process_kernel import BashKernel, JavaScriptKernel, KernelDied
from .python_kernel import PythonKernel

KERNELS = {"python": PythonKernel, "javascript": JavaScriptKernel, "typescript": JavaScriptKernel, "bash": BashKernel}
ALIASES = {"": "python", "python3": "python", "js": "javascript", "ts": "typescript", "sh": "bash", "shell": "bash"}
HOME = "/home/user"
MAX_CONTEXTS = 64
# Of output that its client has not taken yet; then the run is interrupted.
MAX_WAITING_BYTES = 64 << 20
# How often an interrupt is given before what does not heed it is stopped, and how long each has: one that comes before the code has begun is lost.
INTERRUPTS = 6
INTERRUPT_SECONDS = 0.5

# Where a form of a result goes in the answer; others are `extra`.
FIELDS = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "text/latex": "latex",
    "application/json": "json",
    "application/javascript": "javascript",
    "application/vnd.caisson.data+json": "data",
    "application/vnd.caisson.chart+json": "chart",
}


class Refused(Exception):
    """What a client asked for cannot be done; its text is for the client."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Run:
    """One piece of code, and the lines of its answer that the client has not taken yet."""

    def __init__(self, code, env):
        self.code = code
        self.env = env
        self.abandoned = asyncio.Event()
        self.flooded = False
        self._lines = asyncio.Queue()
        self._waiting = 0

    def put(self, event):
        line = json.dumps(_answer(event)).encode() + b"\n"
        if self._waiting + len(line) > MAX_WAITING_BYTES and event["type"] != "error":
            self.flooded = True
            self.abandoned.set()
            return
        self._waiting += len(line)
        self._lines.put_nowait(line)

    def finish(self):
        self._lines.put_nowait(None)

    async def line(self, seconds):
        """The next line; None at the end. Errors: asyncio.TimeoutError when none came in time."""
        line = await asyncio.wait_for(self._lines.get(), seconds)
        if line is not None:
            self._waiting -= len(line)
        return line


def _answer(event):
    """An event of a kernel as clients know it."""
    if event["type"] in ("stdout", "stderr"):
        return {**event, "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat()}
    if event["type"] != "result":
        return event
    answer = {"type": "result", "is_main_result": event["main"], "extra": {}}
    for kind, value in event["data"].items():
        if kind in FIELDS:
            answer[FIELDS[kind]] = value
        else:
            answer["extra"][kind] = value
    return answer


class Context:
    def __init__(self, language, cwd):
        self.id = str(uuid.uuid4())
        self.language = language
        self.cwd = cwd
        self._kernel = KERNELS[language](cwd, language)
        self._lock = asyncio.Lock()
        self._count = 0

    def described(self):
        return {"id": self.id, "language": self.language, "cwd": self.cwd}

    def start(self):
        """Errors: Refused when the directory is not there."""
        try:
            self._kernel.start()
        except OSError as e:
            raise Refused(400, f"a {self.language} context cannot start in {self.cwd}: {e.strerror}") from e

    def stop(self):
        self._kernel.stop()

    def restart(self):
        self._count = 0
        self.start()

    def submit(self, code, env):
        """Runs code when what was asked before is done; its answer is taken from the run that this returns."""
        run = Run(code, env)
        task = asyncio.ensure_future(self._serve(run))
        # A task that nobody holds may be collected while it runs.
        run.task = task
        return run

    async def _serve(self, run):
        try:
            async with self._lock:
                if not run.abandoned.is_set():
                    await self._run(run)
        except Refused as e:
            run.put({"type": "error", "name": "ContextFailed", "value": str(e), "traceback": ""})
        finally:
            run.finish()

    async def _run(self, run):
        if not self._kernel.alive():
            self.restart()
        self._count += 1
        work = asyncio.ensure_future(self._kernel.run(run.code, run.env, run.put, self._count))
        gone = asyncio.ensure_future(run.abandoned.wait())
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        for _ in range(INTERRUPTS):
            if work.done():
                break
            self._kernel.interrupt()
            await asyncio.wait({work}, timeout=INTERRUPT_SECONDS)
        if not work.done():
            # It does not heed an interrupt: what it knew is lost.
            self._kernel.stop()
            work.cancel()
            await asyncio.wait({work})
        if run.flooded:
            run.put({"type": "error", "name": "OutputLimit", "value": f"more than {MAX_WAITING_BYTES >> 20} MiB of output waited to be taken", "traceback": ""})
        if work.cancelled():
            return
        failure = work.exception()
        if isinstance(failure, KernelDied):
            run.put({"type": "error", "name": "ContextRestarting", "value": "Context was restarted", "traceback": ""})
        elif failure is not None:
            raise failure


class Contexts:
    """All contexts; two are there from the start."""

    def __init__(self):
        self._all = {}
        self._defaults = {}

    def open_defaults(self):
        """Python's begins to start at once; the other when it is first used."""
        self._default("python").start()
        self._default("javascript")

    def _default(self, language):
        if language not in self._defaults:
            self._defaults[language] = self._add(Context(language, HOME))
        return self._defaults[language]

    def _add(self, context):
        if len(self._all) >= MAX_CONTEXTS:
            raise Refused(400, f"there are {MAX_CONTEXTS} contexts already: remove one")
        self._all[context.id] = context
        return context

    def create(self, language, cwd):
        context = Context(known(language), cwd or HOME)
        context.start()
        return self._add(context)

    def all(self):
        return list(self._all.values())

    def get(self, context_id):
        context = self._all.get(context_id)
        if context is None:
            raise Refused(404, f"Context {context_id} not found")
        return context

    def of(self, context_id, language):
        """The context that code is for."""
        if context_id and language:
            raise Refused(400, "Only one of context_id or language can be provided")
        return self.get(context_id) if context_id else self._default(known(language))

    def remove(self, context_id):
        context = self.get(context_id)
        del self._all[context_id]
        self._defaults = {language: kept for language, kept in self._defaults.items() if kept is not context}
        context.stop()


def known(language):
    """The language that a name means."""
    name = (language or "").strip().lower()
    name = ALIASES.get(name, name)
    if name not in KERNELS:
        raise Refused(400, f"there is no kernel for '{language[:64]}' here; there are: {', '.join(KERNELS)}")
    return name
