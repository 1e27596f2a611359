"""Uploaded files, which may be too large for memory and are therefore stored in temporary files."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request

from tessera.api.http.errors import RequestTooLarge
from tessera.api.http.parsing import ensure_readable


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file, positioned at its beginning, and its SHA-256 in hexadecimal."""

    file: BinaryIO
    digest: str


@asynccontextmanager
async def upload_received(request: Request) -> AsyncIterator[None]:
    """Receive the whole file before a database connection is taken: slow uploads must not use up the pool.

    `read_upload` raises the error of a file that is too large.
    """
    with tempfile.TemporaryFile() as file:
        try:
            request.state.upload = await _store(request, file)
        except RequestTooLarge as error:
            request.state.body_error = error
        yield


async def _store(request: Request, file: BinaryIO) -> Upload:
    digest = hashlib.sha256()
    async for chunk in request.stream():
        digest.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    file.seek(0)
    return Upload(file, digest.hexdigest())


def read_upload(request: Request, media_type: str) -> Upload:
    """The uploaded file; raises UnsupportedMediaType, RequestTooLarge."""
    ensure_readable(request, media_type)
    upload: Upload = request.state.upload
    return upload
