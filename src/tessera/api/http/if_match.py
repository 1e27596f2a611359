"""Versions over HTTP: `ETag` in responses, `If-Match` in requests that change a resource (RFC 9110, section 13.1.1)."""

import re
from typing import Any

from fastapi import Request

from tessera.api.http.errors import VersionMissing
from tessera.api.http.parsing import path_id
from tessera.kit.editing import Target
from tessera.kit.errors import VersionStale

_VERSION = re.compile(r'(?:(?:W/)?"([1-9][0-9]{0,8})"|([1-9][0-9]{0,8}))', re.ASCII)
PARAMETER: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": (
        "The version that you read, so that you do not overwrite a later change: its number, or the `ETag` as it was"
        " received; `*` for any version."
    ),
    "schema": {"type": "string"},
    "example": "1",
}
DOCUMENTED = {"ETag": "The version of the representation, for `If-Match`."}


def etag(version: int) -> dict[str, str]:
    """The `ETag` header of this version."""
    return {"ETag": f'"{version}"'}


def target(request: Request, name: str) -> Target:
    """The target of a change: the id in the path, and the versions in `If-Match`; raises NotFound.

    Any member of a list may match. A weak tag of this server matches too, because compressing proxies make tags weak,
    and so does the bare version number. A missing or unusable version is an error only if the row exists, so that a
    404 takes precedence.
    """
    id_, tags = path_id(request, name), request.headers.getlist("if-match")
    if not tags:
        return Target(id_, refusal=VersionMissing())
    members = [member.strip() for member in ",".join(tags).split(",")]
    if "*" in members:
        return Target(id_)
    # Any other member, such as a tag of another server, matches no version.
    versions = [int(match[1] or match[2]) for member in members if (match := _VERSION.fullmatch(member))]
    if not versions:
        return Target(id_, refusal=VersionStale())
    return Target(id_, versions[0], alternatives=frozenset(versions))
