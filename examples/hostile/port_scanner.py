#!/usr/bin/env python3
"""Looks for somebody to talk to: on this machine, next to it, beyond."""
import errno
import os
import socket
import struct
import sys
import time

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])



def neighbours():
    """The gateway that the routing table names, and the usual addresses of hosts seen from containers."""
    found = ["172.17.0.1", "10.0.2.2", "192.168.0.1", "10.0.0.1"]
    try:
        with open("/proc/net/route") as f:
            for line in f.readlines()[1:]:
                gateway = line.split()[2]
                if gateway != "00000000":
                    found.append(socket.inet_ntoa(struct.pack("<L", int(gateway, 16))))
    except OSError:
        pass
    return found


def probe(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        try:
            s.connect((host, port))
            return "OPEN"
        except socket.timeout:
            return "TIMEOUT"
        except OSError as e:
            return errno.errorcode.get(e.errno, str(e.errno))


PORTS = [22, 53, 80, 443, 2375, 5432, 6379, 6443, 7070, 10250]
began = time.monotonic()
outcomes = {}
for host in ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"] + neighbours():
    answers = sorted({probe(host, port) for port in PORTS})
    outcomes[host] = answers
    print(f"{host}: {', '.join(answers)}", flush=True)
try:
    socket.getaddrinfo("example.com", 443)
    print("example.com: RESOLVED")
except OSError as e:
    print(f"example.com: {e}")
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(b"x" * 8, ("192.0.2.1", 0))
    print("raw socket: SENT")
except OSError as e:
    print(f"raw socket: {e.strerror}")
opened = [host for host, answers in outcomes.items() if "OPEN" in answers]
print(f"{len(outcomes)} hosts in {time.monotonic() - began:.1f} s; open: {', '.join(opened) or 'none'}; what stopped it: there is no route out of here")
