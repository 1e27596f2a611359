"""Private files and locks on them, which the kernel gives back when their holder dies, even by kill -9."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_private(path: Path) -> int:
    """Open for appending, not inherited by children, owned as the directory is; links are refused."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    # Files that root made must serve the owner later. Other names of a file (hard links) may be a trap for root.
    if os.geteuid() == 0 and os.fstat(descriptor).st_nlink == 1:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock, however long it takes to get it."""
    descriptor = open_private(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file; False if somebody else has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
