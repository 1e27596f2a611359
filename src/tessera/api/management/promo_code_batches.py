"""Batches of promo codes: /management/v1/promo-code-batches."""

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
    BatchQuery,
    PromoCodeBatchCreateRequest,
    PromoCodeBatchModel,
    PromoCodeBatchPage,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.api.serving.resources import resources_of
from tessera.promo_codes.batches import service
from tessera.promo_codes.batches.rules import BatchDraft, Pattern
from tessera.promo_codes.batches.service import Batch
from tessera.promo_codes.rules import PromoCodeDraft

router = APIRouter(prefix="/management/v1/promo-code-batches", tags=["Management: promo-code batches"])

BODIES = (PromoCodeBatchCreateRequest,)
QUERIES = (BatchQuery,)
ID = "batchId"
RESOURCE = Resource(PromoCodeBatchModel, id=ID)
SPACE_TOO_SMALL = (
    "/length",
    "SpaceTooSmall",
    "length must be at least 8: the pattern needs 100,000,000,000 possible names that do not look like numbers or"
    " dates, 1,000,000 for each code, and has 34,344,525,068.",
)


@router.get(
    "",
    operation_id="listPromoCodeBatches",
    summary="List batches of promo codes",
    responses=documentation.listed(PromoCodeBatchPage, BATCH),
    openapi_extra=documentation.listing(BatchQuery),
)
async def list_batches(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's batches with their progress, oldest first."""
    _, position = read_cursor_query(request, BatchQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, **position))


@router.post(
    "",
    operation_id="createPromoCodeBatch",
    summary="Create a batch of promo codes",
    status_code=201,
    responses=documentation.created(PromoCodeBatchModel, BATCH, violation=SPACE_TOO_SMALL),
    openapi_extra=documentation.creating(PromoCodeBatchCreateRequest, CREATE),
)
async def create_batch(request: Request, caller: Manager) -> Response:
    """Create up to 1,000,000 promo codes with random names and the same terms.

    The codes are generated in the background; each code is usable as soon as it exists. `GET
    /management/v1/promo-codes?batchId=...` lists them, and `GET /management/v1/exports/promo-codes?batchId=...`
    exports them.
    """
    draft = await read_draft(request, PromoCodeBatchCreateRequest, _draft)
    max_open = resources_of(request).max_open_batches

    async def create() -> Batch:
        return await service.create(caller.work, draft=draft, now=caller.now, max_open=max_open)

    return await RESOURCE.write(request, caller, create, status=201)


@router.get(
    "/{batchId}",
    operation_id="getPromoCodeBatch",
    summary="Retrieve a batch of promo codes",
    responses=documentation.retrieved(PromoCodeBatchModel, BATCH),
    openapi_extra=documentation.retrieving(ID),
)
async def get_batch(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a batch and its progress."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.post(
    "/{batchId}/cancel",
    operation_id="cancelPromoCodeBatch",
    summary="Cancel a batch of promo codes",
    responses=documentation.changed(PromoCodeBatchModel, BATCH | {"status": "Cancelled", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def cancel_batch(request: Request, caller: Manager) -> Response:
    """Stop the generation of a batch in progress. Existing codes remain, and the batch can be resumed.

    Progress increments the version: `If-Match: *` cancels the batch at any version.
    """
    return await RESOURCE.change(request, caller, service.cancel)


@router.post(
    "/{batchId}/resume",
    operation_id="resumePromoCodeBatch",
    summary="Resume a batch of promo codes",
    responses=documentation.changed(PromoCodeBatchModel, BATCH | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def resume_batch(request: Request, caller: Manager) -> Response:
    """Resume a cancelled or exhausted batch."""
    return await RESOURCE.change(request, caller, service.resume, max_open=resources_of(request).max_open_batches)


def _draft(*, quantity: int | None = None, **values: Any) -> BatchDraft:  # noqa: ANN401 - the fields of two drafts
    pattern = {name: values.pop(name) for name in ("prefix", "length", "alphabet") if name in values}
    return BatchDraft(pattern=Pattern(**pattern), quantity=quantity, codes=PromoCodeDraft(**values))
