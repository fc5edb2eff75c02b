"""Machines may be copies of one that was running: what generates random numbers in them continues alike in all, until it is given a seed of its own.

Not changed: generators that the code has made itself, and the seed of Python's hashes, which a process has for life.
"""

import contextlib
import os
import sys

# Every machine has another; a copy is told its own before anything is run in it.
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id():
    """None where there is none."""
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return None


class Watch:
    """Notices that this machine is a copy of the one in which it was made or last looked."""

    def __init__(self):
        self._seen = boot_id()

    def copied(self):
        """True once after each copy."""
        now = boot_id()
        if now is None or now == self._seen:
            return False
        self._seen = now
        return True


def number(bits):
    """A random number from 1 on that fits into that many bits, whatever this process has generated before."""
    return int.from_bytes(os.urandom(8), "big") % ((1 << bits) - 1) + 1


def reseed():
    """Gives what generates random numbers in this process a new seed. Only what is loaded: the rest gets one when it is."""
    for name, seed in (("ssl", _openssl), ("random", _random), ("numpy.random", _numpy), ("tempfile", _tempfile)):
        module = sys.modules.get(name)
        if module is not None:
            # The code may have put something else in its place.
            with contextlib.suppress(Exception):
                seed(module)


def _openssl(ssl):
    # It also asks the kernel for more.
    ssl.RAND_add(os.urandom(64), 64.0)


def _random(random):
    random.seed()


def _numpy(random):
    random.seed()


def _tempfile(tempfile):
    tempfile._name_sequence = None
