"""Product bundles: /management/v1/product-bundles."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.product_bundles import (
    PRODUCT_BUNDLE,
    REQUEST,
    ProductBundleModel,
    ProductBundlePage,
    ProductBundleQuery,
    ProductBundleRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.catalog.product_bundles import service
from tessera.catalog.product_bundles.service import ProductBundleFilter
from tessera.catalog.rules import ProductBundleDraft

router = APIRouter(prefix="/management/v1/product-bundles", tags=["Management: catalog"])

BODIES = (ProductBundleRequest,)
QUERIES = (ProductBundleQuery,)
ID = "productBundleId"
RESOURCE = Resource(ProductBundleModel, id=ID)
BAD_EXAM = ("/storeExamCodes/0", "StoreExamNotFound", "storeExamCodes/0 must name a store exam that is on sale.")


@router.get(
    "",
    operation_id="listProductBundles",
    summary="List product bundles",
    responses=documentation.listed(ProductBundlePage, PRODUCT_BUNDLE),
    openapi_extra=documentation.listing(ProductBundleQuery),
)
async def list_product_bundles(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's product bundles, oldest first, including archived ones."""
    filters, position = read_cursor_query(request, ProductBundleQuery)
    page = await service.list_by_cursor(caller.work, filters=ProductBundleFilter(**filters), **position)
    return RESOURCE.page(request, page)


@router.post(
    "",
    operation_id="createProductBundle",
    summary="Create a product bundle",
    status_code=201,
    responses=documentation.created(ProductBundleModel, PRODUCT_BUNDLE, violation=BAD_EXAM),
    openapi_extra=documentation.creating(ProductBundleRequest, REQUEST),
)
async def create_product_bundle(request: Request, caller: Manager) -> Response:
    """Create a bundle of active store exams."""
    draft = await read_draft(request, ProductBundleRequest, ProductBundleDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{productBundleId}",
    operation_id="getProductBundle",
    summary="Retrieve a product bundle",
    responses=documentation.retrieved(ProductBundleModel, PRODUCT_BUNDLE),
    openapi_extra=documentation.retrieving(ID),
)
async def get_product_bundle(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a product bundle, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{productBundleId}",
    operation_id="updateProductBundle",
    summary="Update a product bundle",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE, violation=BAD_EXAM),
    openapi_extra=documentation.changing(ID, model=ProductBundleRequest, example=REQUEST),
)
async def update_product_bundle(request: Request, caller: Manager) -> Response:
    """Change the name, the price and the exams of a bundle. It can keep exams that are archived."""
    target = if_match.target(request, ID)
    draft = await read_draft(request, ProductBundleRequest, ProductBundleDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.update(caller.work, target, draft=draft, now=caller.now)
    )


@router.post(
    "/{productBundleId}/archive",
    operation_id="archiveProductBundle",
    summary="Archive a product bundle",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_product_bundle(request: Request, caller: Manager) -> Response:
    """Archive a bundle, which can then no longer be bought."""
    return await RESOURCE.change(request, caller, service.archive)


@router.post(
    "/{productBundleId}/activate",
    operation_id="activateProductBundle",
    summary="Activate a product bundle",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_product_bundle(request: Request, caller: Manager) -> Response:
    """Activate an archived bundle."""
    return await RESOURCE.change(request, caller, service.activate)
