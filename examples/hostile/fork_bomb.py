#!/usr/bin/env python3
"""Starts processes that start processes, as fast as it can."""
import errno
import os
import signal
import sys
import time

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])

# Each child starts children of its own, without end; small ones, so that their number and not their memory is what is tried.
BOMB = "while :; do sleep 1000 & done 2>/dev/null"
MOST = 100_000
children = 0
began = time.monotonic()
stopped = "nothing"
while children < MOST:
    try:
        os.posix_spawn("/bin/sh", ["sh", "-c", BOMB if children == 0 else "exec sleep 1000"], os.environ)
    except OSError as e:
        stopped = f"a new process was refused with {errno.errorcode.get(e.errno, e.errno)} ({e.strerror})"
        break
    children += 1

print(f"{children} children, and theirs, in {time.monotonic() - began:.1f} s; what stopped it: {stopped}", flush=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(0, signal.SIGTERM)
