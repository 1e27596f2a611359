"""Voucher partners: the companies that buy vouchers."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.kit import editing
from tessera.kit.db.grouping import group
from tessera.kit.db.pages import CursorPage, Page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound
from tessera.kit.identifiers import new_id
from tessera.vouchers import rules
from tessera.vouchers.partners import rules as partner_rules
from tessera.vouchers.partners.repository import NewPartner, PartnerFilter, PartnerRepository
from tessera.vouchers.partners.rules import PartnerDraft
from tessera.vouchers.rules import Status, UserStatus
from tessera.vouchers.unique_names import name_taken

__all__ = ["NewPartner", "PartnerDraft", "PartnerFilter"]

KIND = "VoucherPartner"


@dataclass(frozen=True, slots=True)
class PartnerUser:
    """A person who calls for a partner."""

    email: str
    is_active: bool
    status: UserStatus


@dataclass(frozen=True, slots=True)
class ManagedPartner:
    """A voucher partner as those see it who manage it."""

    id: UUID
    name: str
    status: Status
    created_at: datetime
    version: int


class PartnerNotFound(NotFound):
    """There is no partner of this id."""

    def __init__(self) -> None:
        super().__init__("There is no such voucher partner.")


@dataclass(frozen=True, slots=True)
class Partner:
    """A voucher partner with its users."""

    id: UUID
    name: str
    status: Status
    users: Sequence[PartnerUser]


async def list_page(work: UnitOfWork, *, filters: PartnerFilter, number: int) -> Page[Partner]:
    """A page of the partners that the caller may see; raises TooManyResults."""
    partners = PartnerRepository(work)
    page = await partners.list_page(filters, number=number)
    users = group(await partners.list_users([row.id for row in page.items]), by="partner_id") if page.items else {}
    items = [
        Partner(
            row.id,
            row.name,
            Status(row.status),
            [
                PartnerUser(user.email, user.is_active, rules.user_status(user.invitation, is_active=user.is_active))
                for user in users.get(row.id, ())
            ],
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


async def list_by_cursor(
    work: UnitOfWork, *, filters: PartnerFilter, after: str | None, size: int
) -> CursorPage[ManagedPartner]:
    """A part of the organization's partners, oldest first; raises Invalid for a cursor of another list."""
    part = await PartnerRepository(work).list_by_cursor(filters, after=after, size=size)
    return CursorPage([_managed(row) for row in part.items], part.cursor)


async def get(work: UnitOfWork, partner_id: UUID) -> ManagedPartner:
    """One partner; raises PartnerNotFound."""
    row = await PartnerRepository(work).find(partner_id)
    if row is None:
        raise PartnerNotFound
    return _managed(row)


async def keep(work: UnitOfWork, partner_id: UUID) -> ManagedPartner | None:
    """A partner that stays as it is until the end of the transaction."""
    row = await PartnerRepository(work).keep(partner_id)
    return _managed(row) if row else None


async def find_known(work: UnitOfWork, partner_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these ids that are partners'."""
    return await PartnerRepository(work).find_known(partner_ids)


async def create(work: UnitOfWork, *, draft: PartnerDraft, now: datetime) -> ManagedPartner:
    """Add a partner; raises Invalid."""
    name = _checked_name(draft)
    status = Status.ACTIVE if draft.is_active else Status.INACTIVE
    new = NewPartner(new_id(), name, status)
    if not await PartnerRepository(work).add(new, now=now):
        raise Invalid([name_taken(name)])
    partner = ManagedPartner(new.id, name, status, now, editing.FIRST)
    await _record(work, Action.CREATED, None, partner, now=now)
    return partner


async def rename(work: UnitOfWork, target: Target, *, draft: PartnerDraft, now: datetime) -> ManagedPartner:
    """Give a partner another name; raises PartnerNotFound, VersionStale, Invalid, WrongState."""
    before = await _lock(work, target)
    name = _checked_name(draft)
    rules.check_standing("voucher partner", before.status)
    return await _change(work, Action.UPDATED, before, replace(before, name=name), now=now)


async def set_status(work: UnitOfWork, target: Target, *, status: Status, now: datetime) -> ManagedPartner:
    """Activate, deactivate or archive a partner, the last for ever.

    Raises PartnerNotFound, VersionStale, WrongState.
    """
    before = await _lock(work, target)
    rules.check_standing("voucher partner", before.status, wanted=status)
    return await _change(work, rules.ACTIONS[status], before, replace(before, status=status), now=now)


async def _lock(work: UnitOfWork, target: Target) -> ManagedPartner:
    row = await PartnerRepository(work).lock(target.id)
    if row is None:
        raise PartnerNotFound
    target.ensure(row.version)
    return _managed(row)


async def _change(
    work: UnitOfWork, action: str, before: ManagedPartner, after: ManagedPartner, *, now: datetime
) -> ManagedPartner:
    await PartnerRepository(work).change(after.id, name=after.name, status=after.status)
    changed = replace(after, version=before.version + 1)
    await _record(work, action, before, changed, now=now)
    return changed


async def _record(
    work: UnitOfWork, action: str, before: ManagedPartner | None, after: ManagedPartner, *, now: datetime
) -> None:
    values = asdict(before) if before else None
    await audit.record(work, Change(action=action, kind=KIND, id=after.id, before=values, after=asdict(after)), now=now)


def _checked_name(draft: PartnerDraft) -> str:
    violations = list(partner_rules.violations(draft))
    if violations or draft.name is None:
        raise Invalid(violations)
    return draft.name


def _managed(row: AnyRow) -> ManagedPartner:
    return ManagedPartner(row.id, row.name, Status(row.status), row.created_at, row.version)
