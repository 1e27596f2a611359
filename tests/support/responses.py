"""Responses in the form that tests compare."""

from typing import Any

import httpx


def status_and_body(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


def validation_failed(*messages: str) -> tuple[int, dict[str, Any]]:
    """The status and the body of a Certiverse response with these violations."""
    return 400, {"errorCode": "ValidationFailed", "errorMessages": list(messages)}
