#!/usr/bin/env python3
"""Leaves its terminal, its session and its parent, and hopes to be forgotten."""
import os
import signal
import sys
import time

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])

DAEMONS = 20
reader, writer = os.pipe()
for _ in range(DAEMONS):
    if os.fork() == 0:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
        # Nobody's child now; PID 1 is its parent.
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.write(writer, b"%d\n" % os.getpid())
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        while True:
            time.sleep(1)
    os.wait()
os.close(writer)
pids = b""
while pids.count(b"\n") < DAEMONS:
    pids += os.read(reader, 4096)
print(f"{DAEMONS} daemons are running on their own: {pids.decode().split()}", flush=True)
print("I end now; they do not. What stops them: their sandbox ends, and with it every process in it (see the receipt: 'processes', gone)")
