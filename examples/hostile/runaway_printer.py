#!/usr/bin/env python3
"""Prints as much as it can, for as long as it may."""
import os
import signal
import sys

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])



def stopped(number, frame):
    os.write(2, b"what stopped it: SIGTERM, and 2 seconds later it would be SIGKILL\n")
    os._exit(128 + number)


signal.signal(signal.SIGTERM, stopped)
line = b"I will not stop printing. " * 2520 + b"\n"
while True:
    os.write(1, line)
