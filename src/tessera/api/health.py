"""Health checks: liveness and readiness."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from tessera.api.http.enumerations import Enumeration
from tessera.api.http.fields import ResponseModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import PUBLIC, response
from tessera.api.serving.resources import resources_of
from tessera.kit.errors import DatabaseUnavailable

router = APIRouter(prefix="/health", tags=["Health"])


LIVENESS = Enumeration("LivenessStatus", "The state of the process.", {"live": "The process serves requests."})
READINESS = Enumeration(
    "ReadinessStatus",
    "Whether the process can serve requests.",
    {"ready": "Requests can be sent to it.", "not ready": "Requests would fail."},
)
DATABASE = Enumeration(
    "DatabaseStatus", "The state of the database.", {"ok": "It answers.", "away": "It cannot be reached."}
)
MIGRATIONS = Enumeration(
    "MigrationsStatus",
    "The state of the database's schema.",
    {
        "ok": "It is that of this version of Tessera.",
        "behind": "It is that of another version; run `tessera migrate`.",
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
_LIVE: dict[int | str, Any] = {200: response(Liveness, "The process is running.", live={"status": "live"})}
_READINESS: dict[int | str, Any] = {
    200: response(Readiness, "The process can serve requests.", ready=_READY),
    503: response(
        Readiness,
        "The database is unavailable, or its migrations do not match this version of Tessera.",
        headers={"Retry-After": "Seconds to wait before retrying."},
        away=_AWAY,
        behind=_BEHIND,
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
    """Returns 200 if the database is available and its migrations match this version of Tessera."""
    resources = resources_of(request)
    try:
        revision = await resources.database.schema_revision()
    except DatabaseUnavailable:
        return JsonResponse(_AWAY, 503, headers={"Retry-After": "2"})
    if revision != resources.schema_revision:
        return JsonResponse(_BEHIND, 503, headers={"Retry-After": "2"})
    return JsonResponse(_READY)
