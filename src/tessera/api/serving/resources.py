"""The long-lived resources that the composition root passes to the routers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request

from tessera.api.serving.pipeline import Pipeline
from tessera.kit.db.database import Database
from tessera.kit.tokens import TokenSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The resources of one application."""

    database: Database
    signer: TokenSigner
    clock: Callable[[], datetime]
    token_lifetime: timedelta
    pipeline: Pipeline
    public_url: str | None
    allowed_hosts: frozenset[str]
    schema_revision: str
    request_seconds: float
    transfer_seconds: float
    max_open_batches: int
    max_holds: int


def resources_of(request: Request) -> Resources:
    """The resources of the application that serves this request."""
    resources: Resources = request.app.state.resources
    return resources
