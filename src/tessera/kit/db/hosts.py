"""The order in which the hosts of an address are tried: those last that do not answer."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

# A host that does not answer delays the attempt at the next one for this long.
CONNECT_SECONDS = 3
# An attempt that is cancelled after this long has probably waited for a host that does not answer.
SILENCE_SECONDS = 1


class Host(NamedTuple):
    """One host of several."""

    host: str
    port: str

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of a connection to this host."""
        return {**self._asdict(), "connect_timeout": CONNECT_SECONDS}


# The hosts that did not answer the latest attempt, and the monotonic time at which it ended. A frozen host would
# otherwise delay every connection of the process, because libpq tries the hosts in the order of the address each time.
_silent: dict[Host, float] = {}


def in_order(conninfo: str, options: Mapping[str, Any]) -> Sequence[Host]:
    """The hosts of an address in the order to try them; none if there is only one, or if libpq has its own order."""
    parameters = {**conninfo_to_dict(conninfo), **options}
    hosts = str(parameters.get("host", "")).split(",")
    has_own_order = parameters.get("load_balance_hosts") == "random"
    has_own_order |= parameters.get("target_session_attrs") == "prefer-standby"
    if len(hosts) == 1 or has_own_order or parameters.get("hostaddr"):
        return ()
    ports = str(parameters.get("port") or "5432").split(",")
    pairs = zip(hosts, ports if len(ports) == len(hosts) else ports * len(hosts), strict=True)
    # If all are silent, they take turns, because an attempt may be cancelled before it reaches a second host.
    return sorted((Host(*pair) for pair in pairs), key=lambda host: _silent.get(host, 0))


@contextmanager
def noting_silence(host: Host) -> Iterator[None]:
    """Remember whether the host answers the attempt of this block to connect to it."""
    began = time.monotonic()
    try:
        yield
    except psycopg.errors.ConnectionTimeout:
        _silent[host] = time.monotonic()
        raise
    except asyncio.CancelledError:
        if (now := time.monotonic()) - began >= SILENCE_SECONDS:
            _silent[host] = now
        raise
    except psycopg.Error:
        _silent.pop(host, None)
        raise
    _silent.pop(host, None)
