"""Links to the next part of a list: absolute, with the same filters."""

import re
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from tessera.api.serving.resources import resources_of

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)


def next_link(request: Request, *, number: int) -> str:
    """The address of page `number + 1` of the list that the request asks for."""
    return link_to_part(request, page=str(number + 1))


def link_to_part(request: Request, **place: str) -> str:
    """The address of another part of the list that the request asks for, with the same filters."""
    query = parse_qsl(request.scope["query_string"].decode("ascii"))
    filters = [(name, value) for name, value in query if name not in place]
    return f"{base_url(request)}{request.scope['path']}?{urlencode([*filters, *place.items()])}"


def link_header(target: str) -> dict[str, str]:
    """The same link as RFC 8288 puts it."""
    return {"Link": f'<{target}>; rel="next"'}


def base_url(request: Request) -> str:
    """What the caller knows this server as, without a slash at the end: as configured, else as the request has it."""
    configured = resources_of(request).public_url
    if configured:
        return configured.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        # Whoever sends no usable Host still gets a link that works here.
        address, port = request.scope.get("server") or ("localhost", None)
        host = f"{address}:{port}" if port else address
    prefix: str = request.scope.get("forwarded_prefix", "")
    return f"{request.scope['scheme']}://{host}{prefix}"
