"""Files that requests bring: too large for memory, so they wait in a temporary file."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request

from tessera.api.http.errors import RequestTooLarge, UnsupportedMediaType
from tessera.api.http.parsing import receive_body

MAX_BODY_BYTES = 1024 * 1024
IMPORTS = "/management/v1/promo-code-imports"
_LARGER = {IMPORTS: 100 * 1024 * 1024}


@dataclass(frozen=True, slots=True)
class Upload:
    """What a request has brought, from its beginning, and the SHA-256 of it in hexadecimal."""

    file: BinaryIO
    digest: str


def limit_of(path: str) -> int:
    """How many bytes the body of a request to this path may have."""
    return _LARGER.get(path, MAX_BODY_BYTES)


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[None]:
    """Have the whole body here before a connection to the database is taken: slow uploads must not use up the pool.

    What is wrong with it is told when it is read, after the credential has been looked at.
    """
    if request.scope["path"] not in _LARGER:
        await receive_body(request)
        yield
        return
    with tempfile.TemporaryFile() as file:
        try:
            request.state.upload = await _store(request, file)
        except RequestTooLarge as error:
            request.state.refused_body = error
        yield


async def _store(request: Request, file: BinaryIO) -> Upload:
    digest = hashlib.sha256()
    async for chunk in request.stream():
        digest.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    file.seek(0)
    return Upload(file, digest.hexdigest())


def read_upload(request: Request, media_type: str) -> Upload:
    """The file; raises UnsupportedMediaType, RequestTooLarge."""
    if request.headers.get("content-type", media_type).partition(";")[0].strip().lower() != media_type:
        raise UnsupportedMediaType(media_type)
    if isinstance(refused := getattr(request.state, "refused_body", None), RequestTooLarge):
        raise refused
    found: Upload = request.state.upload
    return found
