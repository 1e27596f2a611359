"""The servers under test, as uvicorn factories: Tessera, and validation written in the usual way."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.types import ASGIApp

from benchmarks.data import TOKEN_KEYS
from tessera import main, schema
from tessera.identity.authentication.credentials import parse_key
from tessera.identity.tables import ApiKey, Organization
from tessera.kit import logging
from tessera.promo_codes.tables import PromoCode
from tessera.settings import Settings


def tessera() -> ASGIApp:
    """Tessera's API in one process, with its request log, which nobody reads."""
    settings = Settings(token_keys=TOKEN_KEYS, pool_size=16)
    with redirect_stderr(Path(os.devnull).open("w")):
        logging.configure()
    return main.create_server(settings, os.environ["APPLICATION_URL"], schema_revision=schema.latest_revision())


class PercentDiscount(BaseModel):
    """A discount in percent."""

    percentDiscount: int  # noqa: N815 - the wire's own name


class ValidationResult(BaseModel):
    """The response to a validation."""

    success: bool
    data: list[PercentDiscount]


def usual() -> ASGIApp:
    """Validation as FastAPI's tutorial writes it: an ORM session for each request, parameters and a response model."""
    engine = create_async_engine(os.environ["OWNER_URL"], pool_size=16)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as each:
            yield each

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {}

    @app.get("/api/v1/promo-codes")
    async def validate(
        code: str,
        session: Annotated[AsyncSession, Depends(session)],
        key_text: Annotated[str, Header(alias="cv-api-key")],
        product_bundle_id: str | None = None,
    ) -> ValidationResult:
        name = parse_key(key_text)
        key = await session.get(ApiKey, (name.organization_id, name.name.id))
        if key is None or key.key_digest != name.digest or key.revoked_at is not None:
            raise HTTPException(401)
        organization = await session.get(Organization, key.organization_id)
        if organization is None or not organization.is_active:
            raise HTTPException(401)
        rows = await session.execute(
            select(PromoCode).where(
                PromoCode.organization_id == key.organization_id, PromoCode.name_key == code.lower()
            )
        )
        promo_code = rows.scalar_one_or_none()
        if promo_code is None:
            raise HTTPException(404)
        return _result(promo_code)

    return app


def _result(code: PromoCode) -> ValidationResult:
    usable = (
        code.status == "Active"
        and (code.expires_at is None or code.expires_at > datetime.now(UTC))
        and (code.max_redemptions is None or code.redemption_count + code.held_count < code.max_redemptions)
    )
    data = [PercentDiscount(percentDiscount=code.discount_percent or 0)] if usable else []
    return ValidationResult(success=usable, data=data)
