"""Health checks: liveness and readiness."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from tessera.api.http.fields import ResponseModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import response
from tessera.api.serving.resources import resources_of
from tessera.kit.errors import DatabaseUnavailable

router = APIRouter(prefix="/health", tags=["Health"])


class Health(ResponseModel):
    """The state of the process."""

    status: str = Field(description="`live`.")


class Readiness(ResponseModel):
    """The state of the process and of the database."""

    status: str = Field(description="`ready` or `not ready`.")
    database: str = Field(description="`ok` or `away`.")
    migrations: str = Field(description="`ok`, `behind` or `unknown`.")


_READY = {"status": "ready", "database": "ok", "migrations": "ok"}
_AWAY = {"status": "not ready", "database": "away", "migrations": "unknown"}
_BEHIND = {"status": "not ready", "database": "ok", "migrations": "behind"}
_LIVE: dict[int | str, Any] = {200: response(Health, "The process is running.", live={"status": "live"})}
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


@router.get("/live", operation_id="checkLiveness", summary="Check liveness", responses=_LIVE)
async def check_liveness() -> JsonResponse:
    """Returns 200 while the process serves requests. It does not use the database."""
    return JsonResponse({"status": "live"})


@router.get("/ready", operation_id="checkReadiness", summary="Check readiness", responses=_READINESS)
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
