"""File descriptors of the process of the tests."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def no_free_descriptor(descriptor: int) -> Iterator[None]:
    """A limit of descriptors that the open ones reach; `descriptor` remains within it."""
    limits, copies = resource.getrlimit(resource.RLIMIT_NOFILE), list[int]()
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor + 1, limits[1]))
    try:
        with suppress(OSError):
            while True:
                copies.append(os.dup(descriptor))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for copy in copies:
            os.close(copy)
