"""Whether this process lives, and whether it can serve."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from tessera.api.http.fields import ResponseModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import answer
from tessera.api.serving.resources import resources_of
from tessera.kit.errors import DatabaseUnavailable

router = APIRouter(prefix="/health", tags=["Health"])


class Health(ResponseModel):
    """How the process is."""

    status: str = Field(description="`live`.")


class Readiness(ResponseModel):
    """What serving needs."""

    status: str = Field(description="`ready` or `not ready`.")
    database: str = Field(description="`ok` or `away`.")
    migrations: str = Field(description="`ok`, `behind` or `unknown`.")


_READY = {"status": "ready", "database": "ok", "migrations": "ok"}
_AWAY = {"status": "not ready", "database": "away", "migrations": "unknown"}
_BEHIND = {"status": "not ready", "database": "ok", "migrations": "behind"}
_LIVE: dict[int | str, Any] = {200: answer(Health, "The process lives.", live={"status": "live"})}
_READINESS: dict[int | str, Any] = {
    200: answer(Readiness, "The process can serve.", ready=_READY),
    503: answer(
        Readiness,
        "The database is away, or its migrations are behind this code.",
        headers={"Retry-After": "When to come again, in seconds."},
        away=_AWAY,
        behind=_BEHIND,
    ),
}


@router.get("/live", operation_id="checkLiveness", summary="Is the process alive?", responses=_LIVE)
async def check_liveness() -> JsonResponse:
    """Answers as long as the process serves requests at all; asks nothing of the database."""
    return JsonResponse({"status": "live"})


@router.get("/ready", operation_id="checkReadiness", summary="Can the process serve?", responses=_READINESS)
async def check_readiness(request: Request) -> JsonResponse:
    """Whether the database answers, and whether its migrations are those that this code needs."""
    resources = resources_of(request)
    try:
        revision = await resources.database.schema_revision()
    except DatabaseUnavailable:
        return JsonResponse(_AWAY, 503, headers={"Retry-After": "2"})
    if revision != resources.schema_revision:
        return JsonResponse(_BEHIND, 503, headers={"Retry-After": "2"})
    return JsonResponse(_READY)
