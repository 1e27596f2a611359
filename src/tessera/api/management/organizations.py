"""Organizations: /management/v1/organizations."""

from fastapi import APIRouter, Request, Response

from tessera.api.error_rendering import problem_details
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft, read_values
from tessera.api.management.responses import Resource, once
from tessera.api.management.schemas.organizations import (
    ADMINISTRATOR,
    ORGANIZATION,
    REQUEST,
    AdministratorCreateRequest,
    OrganizationModel,
    OrganizationPage,
    OrganizationQuery,
    OrganizationRequest,
)
from tessera.api.management.schemas.tokens import TOKEN_SECRET, IssuedTokenSecretModel
from tessera.api.management.serialization import Body
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import PlatformAdministrator
from tessera.api.serving.resources import resources_of
from tessera.identity.organizations import administrators, service
from tessera.identity.rules import UserDraft

router = APIRouter(prefix="/management/v1/organizations", tags=["Management: organizations"])

BODIES = (OrganizationRequest, AdministratorCreateRequest)
QUERIES = (OrganizationQuery,)
ID = "organizationId"
RESOURCE = Resource(OrganizationModel, id=ID)
BAD_EMAIL = ("/email", "NameTaken", "email is taken: ada@example.com.")
BAD_NAME = ("/name", "NameTaken", "name is taken: Aurora Certification Board.")


@router.get(
    "",
    operation_id="listOrganizations",
    summary="List organizations",
    responses=documentation.listed(OrganizationPage, ORGANIZATION),
    openapi_extra=documentation.listing(OrganizationQuery),
)
async def list_organizations(request: Request, caller: PlatformAdministrator) -> JsonResponse:
    """List all organizations, oldest first. Requires an administrator of the platform."""
    _, position = read_cursor_query(request, OrganizationQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, **position))


@router.post(
    "",
    operation_id="createOrganization",
    summary="Create an organization",
    status_code=201,
    responses=documentation.created(OrganizationModel, ORGANIZATION, violation=BAD_NAME),
    openapi_extra=documentation.creating(OrganizationRequest, REQUEST),
)
async def create_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Create an organization without users. Requires an administrator of the platform."""
    name = (await read_values(request, OrganizationRequest))["name"]

    return await RESOURCE.write(
        request, caller, lambda: service.create_another(caller.work, name=name, now=caller.now), status=201
    )


@router.get(
    "/{organizationId}",
    operation_id="getOrganization",
    summary="Retrieve an organization",
    responses=documentation.retrieved(OrganizationModel, ORGANIZATION),
    openapi_extra=documentation.retrieving(ID),
)
async def get_organization(request: Request, caller: PlatformAdministrator) -> JsonResponse:
    """Retrieve an organization, with the `ETag` that a change requires. Requires an administrator of the platform."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{organizationId}",
    operation_id="renameOrganization",
    summary="Rename an organization",
    responses=documentation.changed(OrganizationModel, ORGANIZATION | {"version": 2}, violation=BAD_NAME),
    openapi_extra=documentation.changing(ID, model=OrganizationRequest, example=REQUEST),
)
async def rename_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Change the name of an organization. Requires an administrator of the platform."""
    name = (await read_values(request, OrganizationRequest))["name"]
    return await RESOURCE.change(request, caller, service.rename, name=name)


@router.post(
    "/{organizationId}/deactivate",
    operation_id="deactivateOrganization",
    summary="Deactivate an organization",
    responses=documentation.changed(OrganizationModel, ORGANIZATION | {"isActive": False, "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Reject all calls of an organization's users, clients and keys. Requires an administrator of the platform."""
    return await RESOURCE.change(request, caller, service.deactivate)


@router.post(
    "/{organizationId}/activate",
    operation_id="activateOrganization",
    summary="Activate an organization",
    responses=documentation.changed(OrganizationModel, ORGANIZATION | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Activate an inactive organization. Requires an administrator of the platform."""
    return await RESOURCE.change(request, caller, service.activate)


@router.post(
    "/{organizationId}/administrators",
    operation_id="addAdministrator",
    summary="Add an administrator to an organization",
    status_code=201,
    responses=documentation.created(IssuedTokenSecretModel, TOKEN_SECRET, violation=BAD_EMAIL)
    | problem_details.documented(404),
    openapi_extra=documentation.creating(AdministratorCreateRequest, ADMINISTRATOR, ID),
)
async def add_administrator(request: Request, caller: PlatformAdministrator) -> Response:
    """Add a user with all your rights to an organization, and issue a token that is valid for a year.

    Only this response has the text of the token. Requires an administrator of the platform.
    """
    organization_id = path_id(request, ID)
    draft = await read_draft(request, AdministratorCreateRequest, UserDraft)

    async def add() -> Body:
        signer, rights = resources_of(request).signer, caller.principal.function_points
        token, text = await administrators.add(
            caller.work, organization_id, draft=draft, rights=rights, signer=signer, now=caller.now
        )
        return IssuedTokenSecretModel.of(token, token=text)

    return await once(request, caller, add, status=201, secret="token")  # noqa: S106 - a field's name
