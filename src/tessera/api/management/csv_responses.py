"""Answers as CSV files, streamed: which of them are wanted, and what they look like."""

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

MEDIA_TYPE = "text/csv; charset=utf-8"


class Format(StrEnum):
    """In which form a report comes."""

    JSON = "json"
    CSV = "csv"


def wants_csv(request: Request, asked: Format | None) -> bool:
    """Whether a CSV file is asked for, by `format` or else by preference in `Accept` (RFC 9110, section 12.5.1)."""
    if asked is not None:
        return asked is Format.CSV
    weights = dict(_weight(part) for part in request.headers.get("accept", "").lower().split(","))
    return weights.get("text/csv", 0.0) > weights.get("application/json", 0.0)


def _weight(part: str) -> tuple[str, float]:
    media_type, *parameters = (text.strip() for text in part.split(";"))
    weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    return media_type, float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0


def file(content: AsyncIterator[bytes], name: str, headers: Mapping[str, str] = {}) -> StreamingResponse:
    """The answer that is this file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **headers}
    return StreamingResponse(content, media_type=MEDIA_TYPE, headers=headers)


def content(example: str) -> dict[str, Any]:
    """The form of an answer that is a CSV file."""
    return {"text/csv": {"schema": {"type": "string"}, "example": example}}
