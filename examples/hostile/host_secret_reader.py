#!/usr/bin/env python3
"""Looks for what a host would not want to be read, and for ways to the host."""
import glob
import os
import socket
import stat
import sys

if not os.path.exists("/.caisson"):
    sys.exit("This program attacks the machine it runs on. Run it with: caisson run " + sys.argv[0])

WANTED = [
    "/etc/shadow", "/root/.ssh/*", "/home/*/.ssh/id_*", "/root/.aws/credentials", "/root/.config/*", "/var/lib/caisson/*", "/var/run/docker.sock", "/run/containerd/*",
    "/run/secrets/*", "/var/run/secrets/kubernetes.io/*", "/proc/1/environ", "/proc/kcore", "/proc/sysrq-trigger", "/proc/keys", "/sys/firmware/efi/efivars/*",
    "/dev/mem", "/dev/kmsg", "/dev/sd*", "/dev/nvme*", "/dev/vd*", "/dev/kvm", "/dev/loop*", "/sys/kernel/debug/*", "/proc/1/root/etc/hostname", "/.caisson/*",
]
got = 0
for pattern in WANTED:
    found = glob.glob(pattern)
    if not found:
        print(f"{pattern}: not there")
    for path in found[:3]:
        try:
            if stat.S_ISSOCK(os.stat(path).st_mode):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(path)
                print(f"{path}: CONNECTED")
                got += 1
                continue
            with open(path, "rb") as f:
                data = f.read(16)
            # An empty file, or the sandbox's own, tells nothing of the host.
            print(f"{path}: {len(data)} bytes, of the sandbox itself" if path.startswith("/proc/1/") else f"{path}: read {len(data)} bytes")
            got += path.startswith(("/dev/", "/var/lib/caisson", "/proc/kcore")) and len(data) > 0
        except OSError as e:
            print(f"{path}: {e.strerror}")
others = [p for p in os.listdir("/proc") if p.isdigit()]
names = []
for pid in others:
    try:
        with open(f"/proc/{pid}/comm") as f:
            names.append(f.read().strip())
    except OSError:
        pass
print("processes in sight:", ", ".join(sorted(names)))
print(f"secrets of the host: {got}; what stopped it: " + ("nothing" if got else "the host's files are not there, and its devices neither"))
