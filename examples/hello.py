"""What the walls look like from inside: run it with `./caisson run examples/hello.py`."""

import getpass
import os
import platform
import socket

print(f"hello from {getpass.getuser()} on {platform.node()}, kernel {platform.release()}, process {os.getpid()}")
print("processes I can see:", sum(name.isdigit() for name in os.listdir("/proc")))

with open("note.txt", "w") as note:
    note.write("this file goes with the sandbox\n")
print("my disk takes files:", os.path.abspath("note.txt"))

try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
    print("THE NETWORK IS OPEN")
except OSError as error:
    print("the way out:", error.strerror)
