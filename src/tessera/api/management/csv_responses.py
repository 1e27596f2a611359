"""Streamed CSV files as responses, and the choice between CSV and JSON."""

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from tessera.api.serving.limits import extend_deadline

MEDIA_TYPE = "text/csv; charset=utf-8"


class Format(StrEnum):
    """The format of a report."""

    JSON = "json"
    CSV = "csv"


def requests_csv(request: Request, choice: Format | None) -> bool:
    """Whether the request asks for CSV, in `format` or else in `Accept` (RFC 9110, section 12.5.1)."""
    if choice is not None:
        return choice is Format.CSV
    weights = dict(_weight(part) for part in request.headers.get("accept", "").lower().split(","))
    return weights.get("text/csv", 0.0) > weights.get("application/json", 0.0)


def _weight(part: str) -> tuple[str, float]:
    media_type, *parameters = (text.strip() for text in part.split(";"))
    weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    return media_type, float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0


class _File(StreamingResponse):
    """A streamed file, with the time limit of an export."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extend_deadline(scope)
        await super().__call__(scope, receive, send)


def file(content: AsyncIterator[bytes], name: str, headers: Mapping[str, str] = {}) -> StreamingResponse:
    """A response that streams `content` as an attachment."""
    return _File(content, media_type=MEDIA_TYPE, headers={**attachment(name), **headers})


def attachment(name: str) -> dict[str, str]:
    """The headers of a response that browsers store as a file."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def content(example: str) -> dict[str, Any]:
    """The content of a CSV response in the OpenAPI document."""
    return {"text/csv": {"schema": {"type": "string"}, "example": example}}
