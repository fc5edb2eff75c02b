"""The server: HTTP on port 49999, one line of JSON per event of a run."""

import asyncio
import json
import os

from .contexts import Contexts, Refused

PORT = 49999
MAX_BODY_BYTES = 64 << 20
# How soon a client that has gone is noticed; and how often one that is silent is written to, since only a write finds out about some.
LOOK_SECONDS = 0.5
KEEPALIVE_SECONDS = 5


def serve():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    contexts = Contexts()

    async def begin():
        contexts.open_defaults()

    # Python's kernel takes longest: it starts while we load the rest.
    loop.run_until_complete(begin())
    from aiohttp import web

    async def health(_):
        return web.json_response("OK")

    async def execute(request):
        body = await asked(request)
        code = body.get("code")
        env = body.get("env_vars") or {}
        if not isinstance(code, str) or not isinstance(env, dict):
            raise Refused(422, "code must be text, and env_vars an object")
        if not all(isinstance(value, str) and name and "=" not in name and "\0" not in name + value for name, value in env.items()):
            raise Refused(422, "env_vars must be an object of texts")
        run = contexts.of(text(body, "context_id"), text(body, "language")).submit(code, env)
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache"})
        try:
            await response.prepare(request)
            await relay(run, request, response)
        finally:
            run.abandoned.set()
        return response

    async def relay(run, request, response):
        silent = 0.0
        while True:
            try:
                line = await run.line(LOOK_SECONDS)
            except asyncio.TimeoutError:
                silent += LOOK_SECONDS
                if request.transport is None or request.transport.is_closing():
                    return
                if silent >= KEEPALIVE_SECONDS:
                    silent = 0.0
                    await response.write(b'{"type": "keepalive"}\n')
                continue
            silent = 0.0
            if line is None:
                await response.write(b'{"type": "end_of_execution"}\n')
                await response.write_eof()
                return
            await response.write(line)

    async def create(request):
        body = await asked(request)
        return web.json_response(contexts.create(text(body, "language"), text(body, "cwd")).described())

    async def show(_):
        return web.json_response([context.described() for context in contexts.all()])

    async def restart(request):
        contexts.get(request.match_info["id"]).restart()
        return web.json_response(None)

    async def remove(request):
        contexts.remove(request.match_info["id"])
        return web.json_response(None)

    async def asked(request):
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError as e:
            raise Refused(422, f"the body is not JSON: {e}") from e
        if not isinstance(body, dict):
            raise Refused(422, "the body is not an object")
        return body

    def text(body, name):
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(422, f"{name} must be text")
        return value or ""

    @web.middleware
    async def refusals(request, handler):
        try:
            return await handler(request)
        except Refused as e:
            return web.Response(status=e.status, text=str(e))

    app = web.Application(middlewares=[refusals], client_max_size=MAX_BODY_BYTES)
    app.add_routes([
        web.get("/health", health),
        web.post("/execute", execute),
        web.post("/contexts", create),
        web.get("/contexts", show),
        web.post("/contexts/{id}/restart", restart),
        web.delete("/contexts/{id}", remove),
    ])
    web.run_app(app, host="0.0.0.0", port=PORT, loop=loop, print=None, access_log=None, handle_signals=True)


if __name__ == "__main__":
    os.umask(0o022)
    serve()
