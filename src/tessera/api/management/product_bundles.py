"""Managing product bundles: /management/v1/product-bundles."""

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
    ProductBundleQuery,
    ProductBundleRequest,
    ProductBundleSlice,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.catalog.product_bundles import service
from tessera.catalog.product_bundles.service import ProductBundleFilter
from tessera.catalog.rules import ProductBundleDraft

router = APIRouter(prefix="/management/v1/product-bundles", tags=["Management: catalog"])

# What its bodies and its queries are read with.
BODIES = (ProductBundleRequest,)
QUERIES = (ProductBundleQuery,)
ID = "productBundleId"
RESOURCE = Resource(ProductBundleModel, id=ID)
BAD_EXAM = ("/storeExamCodes/0", "StoreExamNotFound", "storeExamCodes/0 must name a store exam that is on sale.")


@router.get(
    "",
    operation_id="listProductBundles",
    summary="List product bundles",
    responses=documentation.listed(ProductBundleSlice, PRODUCT_BUNDLE),
    openapi_extra=documentation.listing(ProductBundleQuery),
)
async def list_product_bundles(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's product bundles, oldest first, archived ones included."""
    filters, place = read_cursor_query(request, ProductBundleQuery)
    page = await service.list_by_cursor(caller.work, filters=ProductBundleFilter(**filters), **place)
    return RESOURCE.page(request, page)


@router.post(
    "",
    operation_id="createProductBundle",
    summary="Put a product bundle on sale",
    status_code=201,
    responses=documentation.created(ProductBundleModel, PRODUCT_BUNDLE, broken=BAD_EXAM),
    openapi_extra=documentation.making(ProductBundleRequest, REQUEST),
)
async def create_product_bundle(request: Request, caller: Manager) -> Response:
    """Put a bundle of exams that are on sale on sale as one."""
    draft = await read_draft(request, ProductBundleRequest, ProductBundleDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{productBundleId}",
    operation_id="getProductBundle",
    summary="Show a product bundle",
    responses=documentation.shown(ProductBundleModel, PRODUCT_BUNDLE),
    openapi_extra=documentation.reading(ID),
)
async def get_product_bundle(request: Request, caller: Manager) -> JsonResponse:
    """One product bundle, with the `ETag` that a change of it needs."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{productBundleId}",
    operation_id="updateProductBundle",
    summary="Change a product bundle",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE, broken=BAD_EXAM),
    openapi_extra=documentation.changing(ID, model=ProductBundleRequest, example=REQUEST),
)
async def update_product_bundle(request: Request, caller: Manager) -> Response:
    """Give a bundle another name, price and exams; exams that are in it may stay when they are archived."""
    target = if_match.target(request, ID)
    draft = await read_draft(request, ProductBundleRequest, ProductBundleDraft)
    return await RESOURCE.write(
        request, caller, lambda: service.update(caller.work, target, draft=draft, now=caller.now)
    )


@router.post(
    "/{productBundleId}/archive",
    operation_id="archiveProductBundle",
    summary="Sell a product bundle no longer",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_product_bundle(request: Request, caller: Manager) -> Response:
    """Take a bundle off sale: nobody can buy it."""
    return await RESOURCE.change(request, caller, service.archive)


@router.post(
    "/{productBundleId}/activate",
    operation_id="activateProductBundle",
    summary="Sell an archived product bundle again",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_product_bundle(request: Request, caller: Manager) -> Response:
    """Put an archived bundle on sale again."""
    return await RESOURCE.change(request, caller, service.activate)
