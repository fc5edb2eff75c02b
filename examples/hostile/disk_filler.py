#!/usr/bin/env python3
"""Writes to the disk until it is full, then to every other place that can be written to."""
import errno
import os
import sys

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])

BLOCK = os.urandom(1024 * 1024)
MOST = 1 << 40


def fill(directory):
    path = os.path.join(directory, "filler")
    written = 0
    try:
        with open(path, "wb", buffering=0) as out:
            while written < MOST:
                written += out.write(BLOCK)
    except OSError as e:
        print(f"{directory}: {written >> 20} MiB; what stopped it: {errno.errorcode.get(e.errno, e.errno)} ({e.strerror})", flush=True)
    else:
        print(f"{directory}: {written >> 20} MiB; what stopped it: nothing", flush=True)
    return path if written else None


left = [fill(d) for d in (os.path.expanduser("~"), "/tmp", "/var/tmp", "/dev/shm", "/run", "/")]
for path in filter(None, left):
    try:
        os.remove(path)
    except OSError:
        pass
