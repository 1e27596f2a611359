"""Managing organizations: /management/v1/organizations."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.error_rendering import problem_details
from tessera.api.http import if_match
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id, read_body
from tessera.api.management import documentation, responses
from tessera.api.management.callers import PlatformAdministrator
from tessera.api.management.schemas.organizations import (
    ADMINISTRATOR,
    ORGANIZATION,
    REQUEST,
    AdministratorRequest,
    OrganizationModel,
    OrganizationQuery,
    OrganizationRequest,
    OrganizationSlice,
)
from tessera.api.management.schemas.tokens import TOKEN_SECRET, TokenSecretModel
from tessera.api.management.tokens import present as present_token
from tessera.api.serving.callers import Caller, resources_of
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.identity.organizations import administrators, service
from tessera.identity.organizations.service import ManagedOrganization
from tessera.identity.rules import UserDraft
from tessera.kit.errors import Invalid

router = APIRouter(prefix="/management/v1/organizations", tags=["Management: organizations"])

# What its bodies and its queries are read with.
BODIES = (OrganizationRequest, AdministratorRequest)
QUERIES = (OrganizationQuery,)
ID = "organizationId"
BAD_EMAIL = ("/email", "NameTaken", "email is taken: ada@example.com.")
BAD_NAME = ("/name", "NameTaken", "name is taken: Aurora Certification Board.")


@router.get(
    "",
    operation_id="listOrganizations",
    summary="List organizations",
    responses=documentation.listed(OrganizationSlice, ORGANIZATION),
    openapi_extra=documentation.listing(OrganizationQuery),
)
async def list_organizations(request: Request, caller: PlatformAdministrator) -> JsonResponse:
    """Every organization, oldest first; for administrators of the platform."""
    _, place = read_cursor_query(request, OrganizationQuery)
    part = await service.list_by_cursor(caller.work, **place)
    return cursor_page_response(request, part, [_present(organization) for organization in part.items])


@router.post(
    "",
    operation_id="createOrganization",
    summary="Create an organization",
    status_code=201,
    responses=documentation.created(OrganizationModel, ORGANIZATION, broken=BAD_NAME),
    openapi_extra=documentation.making(OrganizationRequest, REQUEST),
)
async def create_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Create an organization, with nobody in it yet; for administrators of the platform."""
    name = await _name(request)

    async def create() -> dict[str, Any]:
        return _present(await service.create_another(caller.work, name=name, now=caller.now))

    return await responses.once(request, caller, create, status=201)


@router.get(
    "/{organizationId}",
    operation_id="getOrganization",
    summary="Show an organization",
    responses=documentation.shown(OrganizationModel, ORGANIZATION),
    openapi_extra=documentation.reading(ID),
)
async def get_organization(request: Request, caller: PlatformAdministrator) -> JsonResponse:
    """One organization, with the `ETag` that a change needs; for administrators of the platform."""
    return responses.one(_present(await service.get(caller.work, path_id(request, ID))))


@router.put(
    "/{organizationId}",
    operation_id="renameOrganization",
    summary="Rename an organization",
    responses=documentation.changed(OrganizationModel, ORGANIZATION | {"version": 2}, broken=BAD_NAME),
    openapi_extra=documentation.changing(ID, model=OrganizationRequest, example=REQUEST),
)
async def rename_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Give an organization another name; for administrators of the platform."""
    target = if_match.target(request, ID)
    name = await _name(request)

    async def rename() -> dict[str, Any]:
        return _present(await service.rename(caller.work, target, name=name, now=caller.now))

    return await responses.once(request, caller, rename)


@router.post(
    "/{organizationId}/deactivate",
    operation_id="deactivateOrganization",
    summary="Switch an organization off",
    responses=documentation.changed(OrganizationModel, ORGANIZATION | {"isActive": False, "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Switch an organization off: nobody of it can call any more; for administrators of the platform."""
    return await _move(request, caller, service.deactivate)


@router.post(
    "/{organizationId}/activate",
    operation_id="activateOrganization",
    summary="Switch an organization on again",
    responses=documentation.changed(OrganizationModel, ORGANIZATION | {"version": 3}),
    openapi_extra=documentation.changing(ID),
)
async def activate_organization(request: Request, caller: PlatformAdministrator) -> Response:
    """Switch an organization on again; for administrators of the platform."""
    return await _move(request, caller, service.activate)


@router.post(
    "/{organizationId}/administrators",
    operation_id="addAdministrator",
    summary="Add the first people of an organization",
    status_code=201,
    responses=documentation.created(TokenSecretModel, TOKEN_SECRET, broken=BAD_EMAIL) | problem_details.documented(404),
    openapi_extra=documentation.making(AdministratorRequest, ADMINISTRATOR, ID),
)
async def add_administrator(request: Request, caller: PlatformAdministrator) -> Response:
    """Add a user who has all your rights in that organization, and show a token of a year this once.

    For administrators of the platform. From then on the organization manages itself.
    """
    organization_id = path_id(request, ID)
    draft = UserDraft(**(await read_body(request, AdministratorRequest)).draft())

    async def add() -> dict[str, Any]:
        signer, rights = resources_of(request).signer, caller.principal.function_points
        token, text = await administrators.add(
            caller.work, organization_id, draft=draft, rights=rights, signer=signer, now=caller.now
        )
        return present_token(token) | {"token": text}

    return await responses.once(request, caller, add, status=201, secret="token")  # noqa: S106 - a field's name


async def _move(request: Request, caller: Caller, move: Callable[..., Awaitable[ManagedOrganization]]) -> Response:
    target = if_match.target(request, ID)

    async def moved() -> dict[str, Any]:
        return _present(await move(caller.work, target, now=caller.now))

    return await responses.once(request, caller, moved)


async def _name(request: Request) -> str:
    reading = await read_body(request, OrganizationRequest)
    if reading.violations:
        raise Invalid(reading.violations)
    return str(reading.values["name"])


def _present(organization: ManagedOrganization) -> dict[str, Any]:
    return {
        "id": organization.id,
        "name": organization.name,
        "isActive": organization.is_active,
        "createdAt": organization.created_at,
        "version": organization.version,
    }
