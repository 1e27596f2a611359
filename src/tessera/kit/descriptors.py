"""The limit of open file descriptors of this process, and of the processes that it starts."""

import resource

import structlog

# Some systems have no hard limit. More than this is of no use, and some programs visit every possible descriptor.
MAX_DESCRIPTORS = 1_048_576

log = structlog.get_logger(__name__)


def raise_limit() -> int:
    """Raise the soft limit to the hard one, log it and return it; the usual soft limit, 1,024, is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        soft = highest
    log.info("file descriptors", limit=soft)
    return soft
