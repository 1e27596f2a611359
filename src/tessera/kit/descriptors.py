"""The limit of open file descriptors of this process, and of the processes that it starts."""

import resource

import structlog

# Some systems have no hard limit. More than this is of no use, and some programs visit every possible descriptor.
MOST = 1_048_576

log = structlog.get_logger(__name__)


def raise_limit() -> int:
    """Raise the soft limit to the hard one, log it and return it: 1,024, the usual soft limit, is soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        soft = highest
    log.info("file descriptors", limit=soft)
    return soft
