"""Persons: /management/v1/persons."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.error_rendering import problem_details
from tessera.api.http import openapi
from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import response
from tessera.api.management.schemas.persons import ERASURE, EXPORT, PersonErasureModel, PersonExportModel
from tessera.api.serving import idempotency
from tessera.api.serving.dependencies import PersonManager
from tessera.persons import service
from tessera.persons.erasures import service as erasures

router = APIRouter(prefix="/management/v1/persons", tags=["Management: persons"])

BODIES: tuple[type[RequestModel], ...] = ()
QUERIES: tuple[type[RequestModel], ...] = ()
ID = "personId"
PARAMETER: dict[str, Any] = {
    "name": ID,
    "in": "path",
    "required": True,
    "description": (
        "The person id that storefronts send for a candidate, or the e-mail address of any person. One with a slash is"
        " for the command line only."
    ),
    "schema": {"type": "string", "minLength": 1},
    "example": "P-4711",
}


@router.get(
    "/{personId}/export",
    operation_id="exportPerson",
    summary="Export all records about a person",
    responses={
        200: response(PersonExportModel, "The records about the person.", EXPORT),
        400: problem_details.documented_unknown_parameter(),
        **problem_details.documented(401, 403, 404, 409, 429, 500, 503),
    },
    openapi_extra={"security": openapi.BEARER, "parameters": [PARAMETER]},
)
async def export_person(request: Request, caller: PersonManager) -> JsonResponse:
    """Export all records of your organization about a candidate, a recipient, a buyer or a user.

    Requires the function point `ManagePersons`. A person id also finds the addresses in the candidate's redemptions
    that no other candidate has. Notes, metadata of other records, stored responses and the audit log are not searched.

    409 means that several candidates have the address (name each of them by their person id), or that there are more
    than 1,000 records of one table. The audit log has an entry `Exported` that does not name the person.
    """
    records = await service.export(caller.work, request.path_params[ID], now=caller.now)
    return JsonResponse(PersonExportModel.of(records))


@router.post(
    "/{personId}/erasure",
    operation_id="erasePerson",
    summary="Erase a person (permanent)",
    responses={
        200: response(PersonErasureModel, "The person was erased.", ERASURE),
        400: problem_details.documented_malformed(),
        **problem_details.documented(401, 403, 404, 409, 422, 429, 500, 503),
    },
    openapi_extra={"security": openapi.BEARER, "parameters": [PARAMETER, idempotency.PARAMETER]},
)
async def erase_person(request: Request, caller: PersonManager) -> Response:
    """Replace everything that names the person by tombstones. Counts, amounts, limits and reports stay as they are.

    Requires the function point `ManagePersons`. A user must be deactivated first, otherwise 409. So is an address of
    several candidates, and a person with more than 1,000 spellings or vouchers on hold. A person who is unknown or was
    erased is 404. The audit log has the erasure without its subject.
    """

    async def effect() -> JsonResponse:
        erasure = await erasures.erase(caller.work, request.path_params[ID], now=caller.now)
        return JsonResponse(PersonErasureModel.of(erasure))

    return await idempotency.once(request, caller, effect)
