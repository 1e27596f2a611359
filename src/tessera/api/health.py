"""Health checks: liveness and readiness."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from tessera.api.http.enumerations import Enumeration
from tessera.api.http.fields import ResponseModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import PUBLIC, response
from tessera.api.serving.limits import DRAINING
from tessera.api.serving.resources import resources_of
from tessera.kit.errors import DatabaseUnavailable

router = APIRouter(prefix="/health", tags=["Health"])


LIVENESS = Enumeration("LivenessStatus", "The state of the process.", {"live": "The process serves requests."})
READINESS = Enumeration(
    "ReadinessStatus",
    "Whether the process can serve requests.",
    {
        "ready": "Requests can be sent to it.",
        "not ready": "Requests would fail.",
        "stopping": "The process is stopping.",
    },
)
DATABASE = Enumeration(
    "DatabaseStatus", "The state of the database.", {"ok": "It answers.", "away": "It cannot be reached."}
)
MIGRATIONS = Enumeration(
    "MigrationsStatus",
    "The state of the database's schema.",
    {
        "ok": "This version of Tessera can use it.",
        "behind": "It belongs to an older version; run `tessera migrate`.",
        "ahead": "It belongs to a newer version, and this version cannot use it.",
        "unknown": "The database cannot be reached.",
    },
)


class Liveness(ResponseModel):
    """The state of the process."""

    status: Annotated[str, LIVENESS] = Field(description="The state of the process.")


class Readiness(ResponseModel):
    """The state of the process and of the database."""

    status: Annotated[str, READINESS] = Field(description="Whether the process can serve requests.")
    database: Annotated[str, DATABASE] = Field(description="The state of the database.")
    migrations: Annotated[str, MIGRATIONS] = Field(description="The state of the database's schema.")


_PUBLIC: dict[str, Any] = {"security": PUBLIC}
_READY = {"status": "ready", "database": "ok", "migrations": "ok"}
_AWAY = {"status": "not ready", "database": "away", "migrations": "unknown"}
_BEHIND = {"status": "not ready", "database": "ok", "migrations": "behind"}
_AHEAD = {"status": "not ready", "database": "ok", "migrations": "ahead"}
_STOPPING = _READY | {"status": "stopping"}
_LIVE: dict[int | str, Any] = {200: response(Liveness, "The process is running.", live={"status": "live"})}
_READINESS: dict[int | str, Any] = {
    200: response(Readiness, "The process can serve requests.", ready=_READY),
    503: response(
        Readiness,
        "The database is unavailable, this version of Tessera cannot use its schema, or the process is stopping.",
        headers={"Retry-After": "Seconds to wait before retrying."},
        away=_AWAY,
        behind=_BEHIND,
        ahead=_AHEAD,
        stopping=_STOPPING,
    ),
}


@router.get("/live", operation_id="checkLiveness", summary="Check liveness", responses=_LIVE, openapi_extra=_PUBLIC)
async def check_liveness() -> JsonResponse:
    """Returns 200 while the process serves requests. It does not use the database."""
    return JsonResponse({"status": "live"})


@router.get(
    "/ready", operation_id="checkReadiness", summary="Check readiness", responses=_READINESS, openapi_extra=_PUBLIC
)
async def check_readiness(request: Request) -> JsonResponse:
    """Returns 200 if the database is available and this version of Tessera can use its schema."""
    resources = resources_of(request)
    try:
        version = await resources.database.schema_version()
    except DatabaseUnavailable:
        return JsonResponse(_AWAY, 503, headers={"Retry-After": "2"})
    if version.serves(resources.schema_revision):
        if DRAINING in request.scope["state"]:
            return JsonResponse(_STOPPING, 503, headers={"Retry-After": "2"})
        return JsonResponse(_READY)
    state = _AHEAD if version.is_newer_than(resources.schema_revision) else _BEHIND
    return JsonResponse(state, 503, headers={"Retry-After": "2"})
