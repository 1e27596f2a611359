"""Managing product bundles: /management/v1/product-bundles."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id, read_body
from tessera.api.management import documentation, responses
from tessera.api.management.callers import Manager
from tessera.api.management.schemas.product_bundles import (
    PRODUCT_BUNDLE,
    REQUEST,
    ProductBundleModel,
    ProductBundleQuery,
    ProductBundleRequest,
    ProductBundleSlice,
)
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.catalog.product_bundles import service
from tessera.catalog.product_bundles.service import ManagedProductBundle, ProductBundleFilter
from tessera.catalog.rules import ProductBundleDraft

router = APIRouter(prefix="/management/v1/product-bundles", tags=["Management: catalog"])

# What its bodies and its queries are read with.
BODIES = (ProductBundleRequest,)
QUERIES = (ProductBundleQuery,)
ID = "productBundleId"
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
    wanted, place = read_cursor_query(request, ProductBundleQuery)
    part = await service.list_by_cursor(caller.work, filters=ProductBundleFilter(**wanted), **place)
    return cursor_page_response(request, part, [_present(bundle) for bundle in part.items])


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
    draft = ProductBundleDraft(**(await read_body(request, ProductBundleRequest)).draft())

    async def create() -> dict[str, Any]:
        return _present(await service.create(caller.work, draft=draft, now=caller.now))

    return await responses.once(request, caller, create, status=201)


@router.get(
    "/{productBundleId}",
    operation_id="getProductBundle",
    summary="Show a product bundle",
    responses=documentation.shown(ProductBundleModel, PRODUCT_BUNDLE),
    openapi_extra=documentation.reading(ID),
)
async def get_product_bundle(request: Request, caller: Manager) -> JsonResponse:
    """One product bundle, with the `ETag` that a change of it needs."""
    return responses.one(_present(await service.get(caller.work, path_id(request, ID))))


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
    draft = ProductBundleDraft(**(await read_body(request, ProductBundleRequest)).draft())

    async def update() -> dict[str, Any]:
        return _present(await service.update(caller.work, target, draft=draft, now=caller.now))

    return await responses.once(request, caller, update)


@router.post(
    "/{productBundleId}/archive",
    operation_id="archiveProductBundle",
    summary="Sell a product bundle no longer",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_product_bundle(request: Request, caller: Manager) -> Response:
    """Take a bundle off sale: nobody can buy it."""
    return await _move(request, caller, service.archive)


@router.post(
    "/{productBundleId}/activate",
    operation_id="activateProductBundle",
    summary="Sell an archived product bundle again",
    responses=documentation.changed(ProductBundleModel, PRODUCT_BUNDLE | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_product_bundle(request: Request, caller: Manager) -> Response:
    """Put an archived bundle on sale again."""
    return await _move(request, caller, service.activate)


async def _move(request: Request, caller: Manager, move: Callable[..., Awaitable[ManagedProductBundle]]) -> Response:
    target = if_match.target(request, ID)

    async def moved() -> dict[str, Any]:
        return _present(await move(caller.work, target, now=caller.now))

    return await responses.once(request, caller, moved)


def _present(bundle: ManagedProductBundle) -> dict[str, Any]:
    return {
        "id": bundle.id,
        "name": bundle.name,
        "price": bundle.price,
        "storeExamCodes": bundle.store_exam_codes,
        "status": bundle.status,
        "createdAt": bundle.created_at,
        "version": bundle.version,
    }
