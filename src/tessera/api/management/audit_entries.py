"""The audit log: /management/v1/audit-entries."""

from fastapi import APIRouter, Request

from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.audit_entries import (
    AUDIT_ENTRY,
    AuditEntryModel,
    AuditEntryPage,
    AuditEntryQuery,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.audit import service
from tessera.audit.service import EntryFilter

router = APIRouter(prefix="/management/v1/audit-entries", tags=["Management: audit"])

BODIES: tuple[type[RequestModel], ...] = ()
QUERIES = (AuditEntryQuery,)
ID = "auditEntryId"
RESOURCE = Resource(AuditEntryModel, id=ID)


@router.get(
    "",
    operation_id="listAuditEntries",
    summary="List audit entries",
    responses=documentation.listed(AuditEntryPage, AUDIT_ENTRY),
    openapi_extra=documentation.listing(AuditEntryQuery),
)
async def list_audit_entries(request: Request, caller: Manager) -> JsonResponse:
    """List the changes in your organization without secrets, newest first."""
    filters, position = read_cursor_query(request, AuditEntryQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, filters=EntryFilter(**filters), **position))


@router.get(
    "/{auditEntryId}",
    operation_id="getAuditEntry",
    summary="Retrieve an audit entry",
    responses=documentation.unversioned(AuditEntryModel, AUDIT_ENTRY),
    openapi_extra=documentation.retrieving(ID),
)
async def get_audit_entry(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a change. Entries are immutable and have no `ETag`."""
    return JsonResponse(AuditEntryModel.of(await service.get(caller.work, path_id(request, ID))))
