"""Voucher partners: the companies that buy vouchers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.kit import editing
from tessera.kit.db.json_projection import JsonProjection
from tessera.kit.db.pages import CursorPage, Page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid
from tessera.kit.identifiers import new_id
from tessera.vouchers import rules
from tessera.vouchers.partners import rules as partner_rules
from tessera.vouchers.partners.repository import ManagedPartner, NewPartner, PartnerFilter, PartnerRepository
from tessera.vouchers.partners.rules import PartnerDraft
from tessera.vouchers.rules import Status, name_taken

__all__ = ["ManagedPartner", "NewPartner", "PartnerDraft", "PartnerFilter"]

_PARTNERS: Editable[ManagedPartner] = Editable(kind="VoucherPartner", noun="voucher partner", moves=rules.MOVES)


@dataclass(frozen=True, slots=True)
class Partner:
    """A voucher partner with its users, as JSON objects separated by commas."""

    id: UUID
    name: str
    status: Status
    users: str


async def list_page(work: UnitOfWork, *, filters: PartnerFilter, number: int, users: JsonProjection) -> Page[Partner]:
    """A page of the partners visible to the caller; raises TooManyResults. `users` projects their users."""
    partners = PartnerRepository(work)
    page = await partners.list_page(filters, number=number)
    ids = [row.id for row in page.items]
    found = await partners.list_users(ids, projection=users) if ids else {}
    items = [Partner(row.id, row.name, Status(row.status), found.get(row.id, "")) for row in page.items]
    return Page(items, page.number, page.has_next)


async def find_by_name(work: UnitOfWork, name: str) -> AnyRow | None:
    """The id, the name and the status of the partner with this name, ignoring case, if visible to the caller."""
    return await PartnerRepository(work).find_by_name(name)


async def add_all(work: UnitOfWork, partners: Sequence[NewPartner], *, now: datetime) -> None:
    """Add partners without checking them."""
    await PartnerRepository(work).add_all(partners, now=now)


async def list_by_cursor(
    work: UnitOfWork, *, filters: PartnerFilter, newest: bool = False, after: str | None, size: int
) -> CursorPage[ManagedPartner]:
    """A page of the organization's partners, oldest or newest first; raises Invalid for a cursor of another list."""
    return await PartnerRepository(work).list_by_cursor(filters, newest=newest, after=after, size=size)


async def get(work: UnitOfWork, partner_id: UUID) -> ManagedPartner:
    """The partner with this id; raises NotFound."""
    return _PARTNERS.require(await PartnerRepository(work).find(partner_id))


async def get_for_share(work: UnitOfWork, partner_id: UUID) -> ManagedPartner:
    """The partner with this id, locked FOR SHARE; raises NotFound."""
    return _PARTNERS.require(await PartnerRepository(work).find_for_share(partner_id))


async def create(work: UnitOfWork, *, draft: PartnerDraft, now: datetime) -> ManagedPartner:
    """Create a partner; raises Invalid."""
    name = _valid_name(draft)
    status = Status.ACTIVE if draft.is_active else Status.INACTIVE
    partner = ManagedPartner(new_id(), name, status, now, editing.FIRST)
    if not await PartnerRepository(work).add(NewPartner(partner.id, name, status), now=now):
        raise Invalid([name_taken(name)])
    await _PARTNERS.record_created(work, partner, now=now)
    return partner


async def rename(work: UnitOfWork, target: Target, *, draft: PartnerDraft, now: datetime) -> ManagedPartner:
    """Rename a partner; raises NotFound, VersionStale, Invalid, WrongState."""
    repository = PartnerRepository(work)
    partner = await _PARTNERS.lock(repository, target)
    after = replace(partner, name=_valid_name(draft))
    rules.ensure_not_archived("voucher partner", partner.status)
    return await _PARTNERS.save(work, repository, partner, after, Action.UPDATED, now=now)


async def set_status(work: UnitOfWork, target: Target, *, status: Status, now: datetime) -> ManagedPartner:
    """Activate, deactivate or permanently archive a partner; raises NotFound, VersionStale, WrongState."""
    return await _PARTNERS.move(work, PartnerRepository(work), target, status, now=now)


def _valid_name(draft: PartnerDraft) -> str:
    violations = list(partner_rules.violations(draft))
    if violations or draft.name is None:
        raise Invalid(violations)
    return draft.name
