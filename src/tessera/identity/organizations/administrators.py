"""The first users of an organization, which the platform creates."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.identity.organizations import service as organizations
from tessera.identity.rules import UserDraft
from tessera.identity.tokens import service as tokens
from tessera.identity.tokens.service import ManagedToken
from tessera.identity.users import service as users
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.tokens import TokenSigner


async def add(
    work: UnitOfWork,
    organization_id: UUID,
    *,
    draft: UserDraft,
    rights: Collection[str],
    signer: TokenSigner,
    now: datetime,
) -> tuple[ManagedToken, str]:
    """Add a user with all rights of the caller to an organization; returns a token for a year, and its text.

    The text is not stored. For a unit of work pinned to the platform. Raises Invalid, NameTaken, NotFound.
    """
    await organizations.get(work, organization_id)
    async with work.pinned_to(organization_id) as tenant_work:
        user = await users.create(
            tenant_work, draft=replace(draft, function_points=tuple(rights)), rights=rights, now=now
        )
        return await tokens.issue(
            tenant_work, signer=signer, email=user.email, lifetime=timedelta(days=365), rights=rights, now=now
        )
