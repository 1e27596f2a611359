"""The limits of connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """The limits of the connections of one process; times are in seconds.

    `unread_bytes` are bytes of responses that clients have not read yet, and `unread_bytes_of_one` those of the clients
    of one organization.
    """

    head_bytes: int = 32 * 1024
    head_seconds: float = 10
    body_bytes_per_second: int = 1024
    body_window_seconds: float = 10
    write_seconds: float = 60
    keep_alive_seconds: float = 75
    max_connections: int = 4000
    unread_bytes: int = 128 * 1024 * 1024
    unread_bytes_of_one: int = 32 * 1024 * 1024
