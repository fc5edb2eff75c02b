#!/usr/bin/env python3
"""Takes memory and touches every page of it, until somebody stops it."""
import os
import sys

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])

STEP = 16 * 1024 * 1024
MOST = 64 * 1024 * 1024 * 1024
held = []
taken = 0
while taken < MOST:
    try:
        block = bytearray(STEP)
    except MemoryError:
        print(f"holding {taken >> 20} MiB; what stopped it: MemoryError", flush=True)
        sys.exit(1)
    for at in range(0, STEP, 4096):
        block[at] = 1
    held.append(block)
    taken += STEP
    # The last of these lines says how far it came; there is no time for a last word.
    print(f"holding {taken >> 20} MiB", flush=True)
print("what stopped it: nothing", flush=True)
