"""Versions over HTTP: `ETag` in responses, `If-Match` in requests that change a resource (RFC 9110, section 13.1.1)."""

import re
from typing import Any

from fastapi import Request

from tessera.api.http.errors import VersionMissing
from tessera.api.http.parsing import path_id
from tessera.kit.editing import Target
from tessera.kit.errors import VersionStale

PARAMETER: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": (
        "The `ETag` of the representation that you read, so that you do not overwrite a later change;"
        " `*` for any version."
    ),
    "schema": {"type": "string"},
    "example": '"1"',
}
DOCUMENTED = {"ETag": "The version of the representation, for `If-Match`."}


def etag(version: int) -> dict[str, str]:
    """The `ETag` header of this version."""
    return {"ETag": f'"{version}"'}


def target(request: Request, name: str) -> Target:
    """The target of a change: the id in the path, and the version in `If-Match`; raises NotFound.

    A missing or unusable version is an error only if the row exists, so that a 404 takes precedence.
    """
    id_, tag = path_id(request, name), request.headers.get("if-match")
    if tag is None:
        return Target(id_, refusal=VersionMissing())
    if tag.strip() == "*":
        return Target(id_)
    # Any other value, such as a weak tag or a tag of another server, matches no version.
    if not re.fullmatch(r'"[1-9][0-9]{0,8}"', tag.strip(), re.ASCII):
        return Target(id_, refusal=VersionStale())
    return Target(id_, int(tag.strip()[1:-1]))
