"""Metadata of records of five kinds: one pair of operations for each, and the records with a value."""

from fastapi import APIRouter, Request, Response

from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_values
from tessera.api.management.schemas.metadata import (
    CHANGE,
    METADATA,
    MetadataModel,
    MetadataPage,
    MetadataQuery,
    MetadataRequest,
)
from tessera.api.serving import idempotency
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.record_metadata import service
from tessera.record_metadata.rules import Kind

router = APIRouter(prefix="/management/v1", tags=["Management: metadata"])

BODIES = (MetadataRequest,)
QUERIES = (MetadataQuery,)
TOO_LONG = ("/metadata/orderId", "ValueTooLong", "metadata/orderId must have at most 500 characters.")


@router.get(
    "/metadata",
    operation_id="listRecordsByMetadata",
    summary="List records by metadata",
    responses=documentation.listed(MetadataPage, METADATA),
    openapi_extra=documentation.listing(MetadataQuery),
)
async def list_records(request: Request, caller: Manager) -> JsonResponse:
    """List the records of one kind whose metadata have a value, oldest first."""
    filters, position = read_cursor_query(request, MetadataQuery)
    page = await service.list_by_cursor(caller.work, filters.pop("kind"), **filters, **position)
    return cursor_page_response(request, page, [MetadataModel.of(item) for item in page.items])


def _add_operations(kind: Kind, collection: str) -> None:
    noun = collection.removesuffix("s").replace("-", " ")
    parameter = "".join(word.capitalize() for word in noun.split())
    name = f"{parameter[0].lower()}{parameter[1:]}Id"
    path, example = f"/{collection}/{{{name}}}/metadata", METADATA | {"kind": kind.value}

    @router.get(
        path,
        operation_id=f"get{kind}Metadata",
        summary=f"Retrieve the metadata of a {noun}",
        description="Retrieve the texts that an integration has attached to it.",
        responses=documentation.unversioned(MetadataModel, example),
        openapi_extra=documentation.retrieving(name),
    )
    async def get_metadata(request: Request, caller: Manager) -> JsonResponse:
        return JsonResponse(MetadataModel.of(await service.get(caller.work, kind, path_id(request, name))))

    @router.put(
        path,
        operation_id=f"replace{kind}Metadata",
        summary=f"Replace the metadata of a {noun}",
        description="Replace all of its metadata, whatever the version of the record is."
        + ("" if kind is Kind.REDEMPTION else " A change is a new version of it."),
        responses=documentation.replaced(MetadataModel, example, violation=TOO_LONG),
        openapi_extra=documentation.creating(MetadataRequest, CHANGE, name),
    )
    async def replace_metadata(request: Request, caller: Manager) -> Response:
        record_id, values = path_id(request, name), await read_values(request, MetadataRequest)

        async def effect() -> JsonResponse:
            replaced = await service.replace(caller.work, kind, record_id, values["metadata"], now=caller.now)
            return JsonResponse(MetadataModel.of(replaced))

        return await idempotency.once(request, caller, effect)


_add_operations(Kind.PROMO_CODE, "promo-codes")
_add_operations(Kind.VOUCHER_PROGRAM, "voucher-programs")
_add_operations(Kind.VOUCHER_PURCHASE, "voucher-purchases")
_add_operations(Kind.VOUCHER, "vouchers")
_add_operations(Kind.REDEMPTION, "redemptions")
