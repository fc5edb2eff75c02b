"""Plays the VMM: wire.py USER GUEST. Attaches as that user to tap0 of the namespace that it runs in, makes an eth0 in the namespace that is bound at GUEST, and passes frames between the two
until its input ends. Says `attached`, or what the kernel said."""
import ctypes
import errno
import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454ca
TAP, NO_PI, VNET_HDR = 0x0002, 0x1000, 0x4000
CLONE_NEWNET = 0x40000000

user, guest = int(sys.argv[1]), sys.argv[2]


def attach(name):
    fcntl.ioctl(fd := os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK), TUNSETIFF, struct.pack('16sH22x', name, TAP | NO_PI | VNET_HDR))
    return fd


def attach_as_user():
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    os.setegid(user)
    os.seteuid(user)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', b'tap0', TAP | NO_PI | VNET_HDR))
    finally:
        os.seteuid(0)
        os.setegid(0)
    return fd


try:
    tap = attach_as_user()
    namespace = os.open(guest, os.O_RDONLY)
    if ctypes.CDLL(None).setns(namespace, CLONE_NEWNET):
        raise OSError(errno.EINVAL, 'setns')
    eth0 = attach(b'eth0')
except OSError as e:
    print(errno.errorcode[e.errno], flush=True)
    sys.exit()
print('attached', flush=True)
other = {tap: eth0, eth0: tap}
while True:
    ready, _, _ = select.select([0, tap, eth0], [], [])
    if 0 in ready and not os.read(0, 100):
        break
    for one in ready:
        if one:
            try:
                os.write(other[one], os.read(one, 1 << 17))
            except OSError as e:
                # The other side is not up, or the frame was none.
                if e.errno not in (errno.EIO, errno.EAGAIN, errno.EINVAL):
                    raise
