"""Variables that the sandbox was given after this server had started: in the copy of a warm machine, all of them."""

import os

# NAME=VALUE, each ended by a NUL; changed as a whole, and root's alone. Only copies have it.
FILE = "/run/caisson-environment"


def given():
    try:
        with open(FILE, "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in entries)
    return {name: value for name, equals, value in pairs if name and equals}


class Variables:
    """Those that one process has: it starts with all that are there, and is told what has changed since."""

    def __init__(self):
        self._has = given()

    def environment(self):
        """For the start of the process."""
        return {**os.environ, **self._has}

    def changes(self):
        """What has changed since the start, or since this was asked last; None for what is gone."""
        now = given()
        names = [name for name in {**self._has, **now} if self._has.get(name) != now.get(name)]
        self._has = now
        return {name: now.get(name, os.environ.get(name)) for name in names}
