"""Absolute links to the next page of a list, with the same filters."""

import ipaddress
import re
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from tessera.api.http.errors import UnknownHost
from tessera.api.serving.resources import resources_of

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)


def next_link(request: Request, *, number: int) -> str:
    """The URL of page `number + 1` of the requested list."""
    return page_link(request, page=str(number + 1))


def page_link(request: Request, **position: str) -> str:
    """The URL of another page of the requested list; `position` maps query parameters to values."""
    query = parse_qsl(request.scope["query_string"].decode("ascii"))
    filters = [(name, value) for name, value in query if name not in position]
    return f"{base_url(request)}{request.scope['path']}?{urlencode([*filters, *position.items()])}"


def link_header(target: str) -> dict[str, str]:
    """The `Link` header of the next page (RFC 8288)."""
    return {"Link": f'<{target}>; rel="next"'}


def base_url(request: Request) -> str:
    """The base URL without a trailing slash: from the settings, or else from the request; raises UnknownHost."""
    public_url = resources_of(request).public_url
    if public_url:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    address, port = request.scope.get("server") or ("localhost", None)
    if not _HOST.fullmatch(host):
        # Without a usable Host header, the link uses the address of the socket.
        host = f"{address}:{port}" if port else address
    elif not (request.scope.get("has_forwarded_host") or _is_known(request, host, address)):
        raise UnknownHost
    prefix: str = request.scope.get("forwarded_prefix", "")
    return f"{request.scope['scheme']}://{host}{prefix}"


def _is_known(request: Request, host: str, address: str) -> bool:
    # A client that follows a link sends its credential to the host of the link.
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    if name in ("localhost", address) or name in resources_of(request).allowed_hosts:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
