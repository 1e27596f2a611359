"""Managing batches of promo codes: /management/v1/promo-code-batches."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import ParsedRequest, path_id, read_body
from tessera.api.management import documentation, responses
from tessera.api.management.schemas.promo_code_batches import (
    BATCH,
    CREATE,
    BatchCreateRequest,
    BatchModel,
    BatchQuery,
    BatchSlice,
)
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.promo_codes.batches import service
from tessera.promo_codes.batches.rules import BatchDraft, Pattern
from tessera.promo_codes.batches.service import Batch
from tessera.promo_codes.rules import PromoCodeDraft, Status

router = APIRouter(prefix="/management/v1/promo-code-batches", tags=["Management: promo codes"])

# What its bodies and its queries are read with.
BODIES = (BatchCreateRequest,)
QUERIES = (BatchQuery,)
ID = "batchId"
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
    part = await service.list_by_cursor(caller.work, **place)
    return cursor_page_response(request, part, [_present(batch) for batch in part.items])


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
    draft = _as_draft(await read_body(request, BatchCreateRequest))

    async def create() -> dict[str, Any]:
        return _present(await service.create(caller.work, draft=draft, now=caller.now))

    return await responses.once(request, caller, create, status=201)


@router.get(
    "/{batchId}",
    operation_id="getPromoCodeBatch",
    summary="Show a batch of promo codes",
    responses=documentation.shown(BatchModel, BATCH),
    openapi_extra=documentation.reading(ID),
)
async def get_batch(request: Request, caller: Manager) -> JsonResponse:
    """One batch, and how far it is."""
    return responses.one(_present(await service.get(caller.work, path_id(request, ID))))


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
    return await _move(request, caller, service.cancel)


@router.post(
    "/{batchId}/resume",
    operation_id="resumePromoCodeBatch",
    summary="Go on with a batch",
    responses=documentation.changed(BatchModel, BATCH | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def resume_batch(request: Request, caller: Manager) -> Response:
    """Go on with a batch that was cancelled, or that had found no free codes any more."""
    return await _move(request, caller, service.resume)


async def _move(request: Request, caller: Manager, move: Callable[..., Awaitable[Batch]]) -> Response:
    target = if_match.target(request, ID)

    async def moved() -> dict[str, Any]:
        return _present(await move(caller.work, target, now=caller.now))

    return await responses.once(request, caller, moved)


def _as_draft(reading: ParsedRequest) -> BatchDraft:
    fields = reading.draft()
    quantity = fields.pop("quantity", None)
    pattern = {name: fields.pop(name) for name in ("prefix", "length", "alphabet") if name in fields}
    return BatchDraft(pattern=Pattern(**pattern), quantity=quantity, codes=PromoCodeDraft(**fields))


def _present(batch: Batch) -> dict[str, Any]:
    body = {
        "id": batch.id,
        "status": batch.status,
        "quantity": batch.quantity,
        "made": batch.made,
        "percent": batch.percent,
        "prefix": batch.prefix,
        "length": batch.length,
        "alphabet": batch.alphabet,
        "isActive": batch.code_status == Status.ACTIVE,
        "discountPercent": batch.discount_percent,
        "flatDiscount": batch.flat_discount,
        "storeExamCodes": batch.store_exam_codes,
        "productBundleIds": batch.product_bundle_ids,
        "expiresAt": batch.expires_at,
        "maxRedemptions": batch.max_redemptions,
        "maxRedemptionsPerCandidate": batch.max_redemptions_per_candidate,
        "notes": batch.notes,
        "createdAt": batch.created_at,
        "version": batch.version,
    }
    return {name: value for name, value in body.items() if value is not None}
