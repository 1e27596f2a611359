"""Versions over HTTP: `ETag` on what is read and written, `If-Match` on what is changed (RFC 9110, section 13.1.1)."""

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
    "description": "The `ETag` of what was read, so that nobody's change is overwritten; `*` for whichever is there.",
    "schema": {"type": "string"},
    "example": '"1"',
}
DOCUMENTED = {"ETag": "The version of what is answered, for `If-Match`."}


def etag(version: int) -> dict[str, str]:
    """The header of an answer that shows this version."""
    return {"ETag": f'"{version}"'}


def target(request: Request, name: str) -> Target:
    """The thing with the id in the path, in the version of `If-Match`.

    Raises NotFound. Without a usable version the target refuses itself, once it is known to be there.
    """
    found, given = path_id(request, name), request.headers.get("if-match")
    if given is None:
        return Target(found, refusal=VersionMissing())
    if given.strip() == "*":
        return Target(found)
    # Whatever else it is, a weak tag or a text of another server, it matches nothing here.
    if not re.fullmatch(r'"[1-9][0-9]{0,8}"', given.strip(), re.ASCII):
        return Target(found, refusal=VersionStale())
    return Target(found, int(given.strip()[1:-1]))
