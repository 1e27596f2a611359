"""JSON responses, serialized without validation."""

from decimal import Decimal
from typing import Any

import orjson
from fastapi import Response


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        # Up to 15 digits, the shortest text of the float is the decimal itself: 49.5 stays 49.5.
        return float(value)
    raise TypeError(type(value))


class JsonResponse(Response):
    """A JSON response; a Decimal becomes a number, and a time has whole seconds and `Z` for UTC."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON value
        """The bytes of `content`."""
        return orjson.dumps(content, default=_number, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)
