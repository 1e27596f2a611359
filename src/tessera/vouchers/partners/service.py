"""Voucher partners: the companies that buy vouchers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.pagination import Page
from tessera.vouchers.grouping import group
from tessera.vouchers.partners.repository import NewPartner, PartnerFilter, PartnerRepository
from tessera.vouchers.rules import Status

__all__ = ["NewPartner", "PartnerFilter"]


@dataclass(frozen=True, slots=True)
class PartnerUser:
    """A person who calls for a partner."""

    email: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Partner:
    """A voucher partner with its users."""

    id: UUID
    name: str
    status: Status
    users: Sequence[PartnerUser]


async def list_page(work: UnitOfWork, *, wanted: PartnerFilter, number: int) -> Page[Partner]:
    """A page of the partners that the caller may see; raises TooManyResults."""
    partners = PartnerRepository(work)
    page = await partners.list_page(wanted, number=number)
    users = group(await partners.list_users([row.id for row in page.items]), by="partner_id") if page.items else {}
    items = [
        Partner(
            row.id,
            row.name,
            Status(row.status),
            [PartnerUser(user.email, user.is_active) for user in users.get(row.id, ())],
        )
        for row in page.items
    ]
    return Page(items, page.number, page.has_next)


async def find_by_name(work: UnitOfWork, name: str) -> AnyRow | None:
    """Id, name and status of the partner with this name, ignoring case, if the caller may see it."""
    return await PartnerRepository(work).find_by_name(name)


async def add_all(work: UnitOfWork, partners: Sequence[NewPartner], *, now: datetime) -> None:
    """Add partners, which the caller vouches for."""
    await PartnerRepository(work).add_all(partners, now=now)
