"""Reading the audit log: /management/v1/audit-entries."""

from typing import Any

from fastapi import APIRouter, Request

from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.callers import Manager
from tessera.api.management.schemas.audit_entries import (
    AUDIT_ENTRY,
    AuditEntryModel,
    AuditEntryQuery,
    AuditEntrySlice,
)
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.audit import service
from tessera.audit.service import Entry, EntryFilter

router = APIRouter(prefix="/management/v1/audit-entries", tags=["Management: audit"])

# What its bodies and its queries are read with.
BODIES: tuple[type[RequestModel], ...] = ()
QUERIES = (AuditEntryQuery,)
ID = "auditEntryId"


@router.get(
    "",
    operation_id="listAuditEntries",
    summary="List changes",
    responses=documentation.listed(AuditEntrySlice, AUDIT_ENTRY),
    openapi_extra=documentation.listing(AuditEntryQuery),
)
async def list_audit_entries(request: Request, caller: Manager) -> JsonResponse:
    """Every change in your organization, newest first: who, when, and how it was before and after. Never a secret."""
    wanted, place = read_cursor_query(request, AuditEntryQuery)
    part = await service.list_by_cursor(caller.work, filters=EntryFilter(**wanted), **place)
    return cursor_page_response(request, part, [_present(entry) for entry in part.items])


@router.get(
    "/{auditEntryId}",
    operation_id="getAuditEntry",
    summary="Show a change",
    responses=documentation.unversioned(AuditEntryModel, AUDIT_ENTRY),
    openapi_extra=documentation.reading(ID),
)
async def get_audit_entry(request: Request, caller: Manager) -> JsonResponse:
    """One change. It is never changed itself, so it has no `ETag`."""
    return JsonResponse(_present(await service.get(caller.work, path_id(request, ID))))


def _present(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at,
        "actor": {"kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_name},
        "action": entry.action,
        "kind": entry.entity_kind,
        "entityId": entry.entity_id,
        "before": _on_the_wire(entry.before),
        "after": _on_the_wire(entry.after),
        "position": entry.position,
    }


def _on_the_wire(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    match value:
        case dict():
            return {_camel(name): _on_the_wire(item) for name, item in value.items()}
        case list():
            return [_on_the_wire(item) for item in value]
        case _:
            return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
