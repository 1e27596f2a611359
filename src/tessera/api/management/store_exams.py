"""Managing store exams: /management/v1/store-exams."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.store_exams import (
    CREATE,
    STORE_EXAM,
    UPDATE,
    StoreExamCreateRequest,
    StoreExamModel,
    StoreExamQuery,
    StoreExamSlice,
    StoreExamUpdateRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.catalog.rules import StoreExamDraft
from tessera.catalog.store_exams import service
from tessera.catalog.store_exams.service import StoreExamFilter

router = APIRouter(prefix="/management/v1/store-exams", tags=["Management: catalog"])

# What its bodies and its queries are read with.
BODIES = (StoreExamCreateRequest, StoreExamUpdateRequest)
QUERIES = (StoreExamQuery,)
ID = "storeExamId"
RESOURCE = Resource(StoreExamModel, id=ID)
BAD_PRICE = ("/price", "PriceRange", "price must be between 0 and 9,999,999,999.99.")


@router.get(
    "",
    operation_id="listStoreExams",
    summary="List store exams",
    responses=documentation.listed(StoreExamSlice, STORE_EXAM),
    openapi_extra=documentation.listing(StoreExamQuery),
)
async def list_store_exams(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's store exams, oldest first, archived ones included."""
    filters, place = read_cursor_query(request, StoreExamQuery)
    page = await service.list_by_cursor(caller.work, filters=StoreExamFilter(**filters), **place)
    return RESOURCE.page(request, page)


@router.post(
    "",
    operation_id="createStoreExam",
    summary="Put a store exam on sale",
    status_code=201,
    responses=documentation.created(StoreExamModel, STORE_EXAM, broken=BAD_PRICE),
    openapi_extra=documentation.making(StoreExamCreateRequest, CREATE),
)
async def create_store_exam(request: Request, caller: Manager) -> Response:
    """Put an exam on sale under a code, which is its own from then on."""
    draft = await read_draft(request, StoreExamCreateRequest, StoreExamDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{storeExamId}",
    operation_id="getStoreExam",
    summary="Show a store exam",
    responses=documentation.shown(StoreExamModel, STORE_EXAM),
    openapi_extra=documentation.reading(ID),
)
async def get_store_exam(request: Request, caller: Manager) -> JsonResponse:
    """One store exam, with the `ETag` that a change of it needs."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{storeExamId}",
    operation_id="updateStoreExam",
    summary="Change a store exam",
    responses=documentation.changed(StoreExamModel, STORE_EXAM, broken=BAD_PRICE),
    openapi_extra=documentation.changing(ID, model=StoreExamUpdateRequest, example=UPDATE),
)
async def update_store_exam(request: Request, caller: Manager) -> Response:
    """Give an exam another name and price. Its code stays."""
    target = if_match.target(request, ID)
    draft = await read_draft(request, StoreExamUpdateRequest, StoreExamDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.update(caller.work, target, draft=draft, now=caller.now)
    )


@router.post(
    "/{storeExamId}/archive",
    operation_id="archiveStoreExam",
    summary="Sell a store exam no longer",
    responses=documentation.changed(StoreExamModel, STORE_EXAM | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_store_exam(request: Request, caller: Manager) -> Response:
    """Take an exam off sale: no new code, bundle or program can name it, and nobody can book it."""
    return await RESOURCE.change(request, caller, service.archive)


@router.post(
    "/{storeExamId}/activate",
    operation_id="activateStoreExam",
    summary="Sell an archived store exam again",
    responses=documentation.changed(StoreExamModel, STORE_EXAM | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_store_exam(request: Request, caller: Manager) -> Response:
    """Put an archived exam on sale again."""
    return await RESOURCE.change(request, caller, service.activate)
