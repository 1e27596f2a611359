"""Responses in the form in which tests compare them."""

from typing import Any

import httpx


def status_and_body(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


def validation_failed(*messages: str) -> tuple[int, dict[str, Any]]:
    """Status and body of a Certiverse request that breaks these rules."""
    return 400, {"errorCode": "ValidationFailed", "errorMessages": list(messages)}
