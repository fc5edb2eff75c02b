"""For each line: makes a sandbox and runs `echo hi` in it by E2B's own client, and prints how many milliseconds the two took."""
import sys
import time

from e2b import Sandbox

for _ in sys.stdin:
    start = time.perf_counter()
    sandbox = Sandbox.create()
    result = sandbox.commands.run("echo hi")
    took = time.perf_counter() - start
    sandbox.kill()
    if result.stdout != "hi\n":
        sys.exit(f"unexpected output: {result.stdout!r}")
    print(took * 1000, flush=True)
