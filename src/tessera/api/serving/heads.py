"""Heads of requests: what the parser accepts although RFC 9112 forbids it, and methods that it does not know.

A proxy and this server must not read one head in two ways, for example which of two hosts it names.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tessera.api.http.errors import HeadTooLarge, Malformed
from tessera.kit.errors import DomainError

MAX_LINE = 1024  # the bytes of a request that are kept, in case it cannot be parsed
Fields = Sequence[tuple[bytes, bytes]]

_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#]+)", re.IGNORECASE)
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/[!-~]*) HTTP/1\.[01]\r?\n")
_PATH = re.compile(rb"[!-~]+ (/[!-~]*)")
# A proxy that checks the last of two credentials must not let the first one pass.
_SINGLE = {
    name.lower().encode(): name
    for name in ("Authorization", "Content-Type", "cv-api-key", "Idempotency-Key", "Tessera-Client")
}
# Errors in the heads of requests with these methods are no errors of the method.
_KNOWN_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))


class Unacceptable(Exception):
    """The parser accepts this request, but this server does not."""


class RequestLine(NamedTuple):
    """The method and the target of a request whose head is not complete."""

    method: bytes
    target: bytes
    has_unknown_method: bool


def request_line(start: bytes, method: bytes, target: bytes) -> RequestLine | None:
    """The request line by the beginning of a request, and by the method and the target that the parser has found.

    None if nothing tells whose error format the client expects.
    """
    line = _REQUEST_LINE.match(start)
    if line and line[1] not in _KNOWN_METHODS:
        return RequestLine(line[1], line[2], has_unknown_method=True)
    path = _PATH.match(start)
    target = target or (path[1] if path else b"")
    return RequestLine(method, target, has_unknown_method=False) if target else None


def check(target: bytes, fields: Fields, *, version: str) -> None:
    """Raise Unacceptable for a version, target, host or transfer coding that proxies might understand otherwise."""
    if version not in {"1.0", "1.1"}:
        raise Unacceptable
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1") or not all(map(_HOST.fullmatch, hosts)):
        raise Unacceptable
    if not target.startswith(b"/") and target != b"*":
        absolute_form = _ABSOLUTE_FORM.match(target)
        if absolute_form is None or [absolute_form[1].lower()] != [host.lower() for host in hosts]:
            raise Unacceptable
    codings = [value.strip().lower() for name, value in fields if name == b"transfer-encoding"]
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise Unacceptable


def refusal(target: bytes, fields: Fields, *, size_at_most: int, limit: int) -> DomainError | None:
    """The error of a well-formed head that is larger than `limit` bytes or has a header twice; None if it has none."""
    if size_at_most > limit and _size(target, fields) > limit:
        return HeadTooLarge(limit)
    single = [name for name, _ in fields if name in _SINGLE]
    if len(single) == len(set(single)):
        return None
    repeated = [text for name, text in _SINGLE.items() if single.count(name) > 1]
    return Malformed(f"The request must not have more than one {' or '.join(repeated)} header.")


def _size(target: bytes, fields: Fields) -> int:
    return len(target) + sum(len(name) + len(value) + 4 for name, value in fields)
