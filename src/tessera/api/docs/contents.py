"""Static contents: compressed once, and answered with 304 for a client that has them already."""

import asyncio
import gzip
import hashlib
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

Key = TypeVar("Key", bound=Hashable)
Built = TypeVar("Built")

_LEVEL = 6  # of gzip; higher levels take much longer and save little


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a response, plain and compressed, and the digest that its `ETag` contains."""

    body: bytes
    gzipped: bytes
    digest: str


def content_of(body: bytes) -> Content:
    """The content with these bytes."""
    return Content(body, gzip.compress(body, _LEVEL, mtime=0), hashlib.sha256(body).hexdigest()[:32])


def respond(request: Request, content: Content, media_type: str, headers: Mapping[str, str]) -> Response:
    """The response to a request for this content: 304 if `If-None-Match` names it (RFC 9110, section 13.1.2)."""
    compresses = _accepts_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{content.digest}-gzip"' if compresses else f'"{content.digest}"'
    headers = {"Cache-Control": "no-cache", **headers, "ETag": tag, "Vary": "Accept-Encoding"}
    known = [member.strip().removeprefix("W/") for member in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if compresses:
        return Response(content.gzipped, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(content.body, media_type=media_type, headers=headers)


def _accepts_gzip(accepted: str) -> bool:
    for member in accepted.lower().split(","):
        coding, _, weight = member.partition(";")
        if coding.strip() in ("gzip", "x-gzip", "*"):
            return weight.replace(" ", "").rstrip("0") not in ("q=", "q=0.", "q=.")
    return False


class BuiltContents(Generic[Key, Built]):
    """Contents that are built when they are first needed, in a thread and one at a time, and then kept.

    Endpoints that are not async would run in 40 threads, which together delay the event loop of all other requests.
    """

    def __init__(self, build: Callable[[Key], Built], *, size: int = sys.maxsize) -> None:
        self._build = build
        self._size = size
        self._kept: dict[Key, Built] = {}
        self._lock = asyncio.Lock()

    async def get(self, key: Key) -> Built:
        """The content for this key; the latest `size` ones are kept."""
        if key not in self._kept:
            async with self._lock:
                if key not in self._kept:
                    self._kept[key] = await run_in_threadpool(self._build, key)
                if len(self._kept) > self._size:
                    del self._kept[next(iter(self._kept))]
        return self._kept[key]
