"""Store exams: /management/v1/store-exams."""

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
    StoreExamPage,
    StoreExamQuery,
    StoreExamUpdateRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.catalog.rules import StoreExamDraft
from tessera.catalog.store_exams import service
from tessera.catalog.store_exams.service import StoreExamFilter

router = APIRouter(prefix="/management/v1/store-exams", tags=["Management: catalog"])

BODIES = (StoreExamCreateRequest, StoreExamUpdateRequest)
QUERIES = (StoreExamQuery,)
ID = "storeExamId"
RESOURCE = Resource(StoreExamModel, id=ID)
BAD_PRICE = ("/price", "PriceRange", "price must be between 0 and 9,999,999,999.99.")


@router.get(
    "",
    operation_id="listStoreExams",
    summary="List store exams",
    responses=documentation.listed(StoreExamPage, STORE_EXAM),
    openapi_extra=documentation.listing(StoreExamQuery),
)
async def list_store_exams(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's store exams, oldest first, including archived ones."""
    filters, position = read_cursor_query(request, StoreExamQuery)
    page = await service.list_by_cursor(caller.work, filters=StoreExamFilter(**filters), **position)
    return RESOURCE.page(request, page)


@router.post(
    "",
    operation_id="createStoreExam",
    summary="Create a store exam",
    status_code=201,
    responses=documentation.created(StoreExamModel, STORE_EXAM, violation=BAD_PRICE),
    openapi_extra=documentation.creating(StoreExamCreateRequest, CREATE),
)
async def create_store_exam(request: Request, caller: Manager) -> Response:
    """Create a store exam. Its code is permanent."""
    draft = await read_draft(request, StoreExamCreateRequest, StoreExamDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{storeExamId}",
    operation_id="getStoreExam",
    summary="Retrieve a store exam",
    responses=documentation.retrieved(StoreExamModel, STORE_EXAM),
    openapi_extra=documentation.retrieving(ID),
)
async def get_store_exam(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a store exam, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{storeExamId}",
    operation_id="updateStoreExam",
    summary="Update a store exam",
    responses=documentation.changed(StoreExamModel, STORE_EXAM, violation=BAD_PRICE),
    openapi_extra=documentation.changing(ID, model=StoreExamUpdateRequest, example=UPDATE),
)
async def update_store_exam(request: Request, caller: Manager) -> Response:
    """Change the name and the price of an exam. Its code is permanent."""
    target = if_match.target(request, ID)
    draft = await read_draft(request, StoreExamUpdateRequest, StoreExamDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.update(caller.work, target, draft=draft, now=caller.now)
    )


@router.post(
    "/{storeExamId}/archive",
    operation_id="archiveStoreExam",
    summary="Archive a store exam",
    responses=documentation.changed(StoreExamModel, STORE_EXAM | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_store_exam(request: Request, caller: Manager) -> Response:
    """Archive an exam: it cannot be booked, and new codes, bundles and programs cannot refer to it."""
    return await RESOURCE.change(request, caller, service.archive)


@router.post(
    "/{storeExamId}/activate",
    operation_id="activateStoreExam",
    summary="Activate a store exam",
    responses=documentation.changed(StoreExamModel, STORE_EXAM | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_store_exam(request: Request, caller: Manager) -> Response:
    """Activate an archived exam."""
    return await RESOURCE.change(request, caller, service.activate)
