"""Authorization of callers of the management API."""

from typing import Annotated

from fastapi import Depends

from tessera.api.serving.callers import Caller, bearer_caller
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.errors import NotAllowed

_Bearer = Annotated[Caller, bearer_caller(FunctionPoint.MANAGE_ORGANIZATION)]


async def _manager(caller: _Bearer) -> Caller:
    if caller.principal.partner_id is not None:
        raise NotAllowed("Users of a voucher partner manage nothing here.")
    return caller


async def _platform_administrator(caller: Annotated[Caller, Depends(_manager)]) -> Caller:
    if caller.principal.organization_id != PLATFORM_ID:
        raise NotAllowed("Only an administrator of the platform may do this.")
    return caller


# A caller with the right ManageOrganization that belongs to no voucher partner.
Manager = Annotated[Caller, Depends(_manager)]
# Such a caller of the platform's own organization.
PlatformAdministrator = Annotated[Caller, Depends(_platform_administrator)]
