"""Managing batches of promo codes: /management/v1/promo-code-batches."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.promo_code_batches import (
    BATCH,
    CREATE,
    BatchCreateRequest,
    BatchModel,
    BatchQuery,
    BatchSlice,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.promo_codes.batches import service
from tessera.promo_codes.batches.rules import BatchDraft, Pattern
from tessera.promo_codes.rules import PromoCodeDraft

router = APIRouter(prefix="/management/v1/promo-code-batches", tags=["Management: promo codes"])

# What its bodies and its queries are read with.
BODIES = (BatchCreateRequest,)
QUERIES = (BatchQuery,)
ID = "batchId"
RESOURCE = Resource(BatchModel, id=ID)
SPACE_TOO_SMALL = (
    "/length",
    "SpaceTooSmall",
    "length must be at least 4: 100,000 possible codes are needed, 10 for each that there will be, and this pattern has"
    " 32,768.",
)


@router.get(
    "",
    operation_id="listPromoCodeBatches",
    summary="List batches of promo codes",
    responses=documentation.listed(BatchSlice, BATCH),
    openapi_extra=documentation.listing(BatchQuery),
)
async def list_batches(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's batches, oldest first, each with how far it is."""
    _, place = read_cursor_query(request, BatchQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, **place))


@router.post(
    "",
    operation_id="createPromoCodeBatch",
    summary="Make many promo codes by a pattern",
    status_code=201,
    responses=documentation.created(BatchModel, BATCH, broken=SPACE_TOO_SMALL),
    openapi_extra=documentation.making(BatchCreateRequest, CREATE),
)
async def create_batch(request: Request, caller: Manager) -> Response:
    """Order up to 1,000,000 promo codes, which all give the same.

    They are made in the background, and each can be used as soon as it is there. `GET
    /management/v1/promo-codes?batchId=...` lists them, and `GET /management/v1/exports/promo-codes?batchId=...` has
    them as a file.
    """
    draft = await read_draft(request, BatchCreateRequest, _draft)

    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{batchId}",
    operation_id="getPromoCodeBatch",
    summary="Show a batch of promo codes",
    responses=documentation.shown(BatchModel, BATCH),
    openapi_extra=documentation.reading(ID),
)
async def get_batch(request: Request, caller: Manager) -> JsonResponse:
    """One batch, and how far it is."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.post(
    "/{batchId}/cancel",
    operation_id="cancelPromoCodeBatch",
    summary="Make no more codes of a batch",
    responses=documentation.changed(BatchModel, BATCH | {"status": "Cancelled", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def cancel_batch(request: Request, caller: Manager) -> Response:
    """Make no more codes of a batch in progress. Those that are there stay, and it can be resumed.

    Its version rises while it is in progress: `If-Match: *` cancels it however far it is.
    """
    return await RESOURCE.change(request, caller, service.cancel)


@router.post(
    "/{batchId}/resume",
    operation_id="resumePromoCodeBatch",
    summary="Go on with a batch",
    responses=documentation.changed(BatchModel, BATCH | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def resume_batch(request: Request, caller: Manager) -> Response:
    """Go on with a batch that was cancelled, or that had found no free codes any more."""
    return await RESOURCE.change(request, caller, service.resume)


def _draft(*, quantity: int | None = None, **values: Any) -> BatchDraft:  # noqa: ANN401 - the fields of two drafts
    pattern = {name: values.pop(name) for name in ("prefix", "length", "alphabet") if name in values}
    return BatchDraft(pattern=Pattern(**pattern), quantity=quantity, codes=PromoCodeDraft(**values))
