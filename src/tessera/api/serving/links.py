"""Absolute links to the next page of a list, with the same filters."""

import re
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from tessera.api.serving.resources import resources_of

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)


def next_link(request: Request, *, number: int) -> str:
    """The URL of page `number + 1` of the requested list."""
    return link_to_part(request, page=str(number + 1))


def link_to_part(request: Request, **place: str) -> str:
    """The URL of another page of the requested list; `place` are its query parameters."""
    query = parse_qsl(request.scope["query_string"].decode("ascii"))
    filters = [(name, value) for name, value in query if name not in place]
    return f"{base_url(request)}{request.scope['path']}?{urlencode([*filters, *place.items()])}"


def link_header(target: str) -> dict[str, str]:
    """The link as a header (RFC 8288)."""
    return {"Link": f'<{target}>; rel="next"'}


def base_url(request: Request) -> str:
    """The base URL of this server without a trailing slash: as configured, else derived from the request."""
    configured = resources_of(request).public_url
    if configured:
        return configured.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        # Without a usable Host header the link has the address of the socket.
        address, port = request.scope.get("server") or ("localhost", None)
        host = f"{address}:{port}" if port else address
    prefix: str = request.scope.get("forwarded_prefix", "")
    return f"{request.scope['scheme']}://{host}{prefix}"
