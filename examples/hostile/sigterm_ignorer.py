#!/usr/bin/env python3
"""Is asked to end, and does not."""
import os
import signal
import sys
import time

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])

for number in range(1, signal.NSIG):
    try:
        signal.signal(number, lambda n, frame: print(f"asked to end by {signal.Signals(n).name}; I do not", flush=True))
    except (OSError, ValueError):
        pass
print("ignoring everything that can be ignored", flush=True)
began = time.monotonic()
while True:
    time.sleep(0.2)
    # The last of these lines says how long it lasted; what stops it leaves no time for a word.
    print(f"still here after {time.monotonic() - began:.1f} s", flush=True)
