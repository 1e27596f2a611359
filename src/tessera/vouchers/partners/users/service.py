"""The users of voucher partners: invitation, activation and deactivation."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.editing import Editable
from tessera.audit.rules import Change
from tessera.identity.rules import FunctionPoint, ensure_may_grant
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import stored_email
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.users import rules
from tessera.vouchers.partners.users.repository import NewPartnerUser, PartnerUserRepository
from tessera.vouchers.partners.users.rules import Invitation
from tessera.vouchers.rules import UserStatus, ensure_not_archived, user_status

KIND = "User"
# The only right of an invited user; the inviting caller must have it as well.
RIGHT = FunctionPoint.PARTNER_MANAGE_VOUCHERS


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerUser:
    """A person who calls the API for a partner, or who is invited to do so."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    status: UserStatus
    created_at: datetime
    version: int


_USERS: Editable[PartnerUser] = Editable(kind=KIND, noun="user", moves=rules.MOVES)


async def list_by_cursor(
    work: UnitOfWork, partner_id: UUID, *, after: str | None, size: int
) -> CursorPage[PartnerUser]:
    """A page of a partner's users, oldest first; raises NotFound, Invalid for a cursor of another list."""
    await partners.get(work, partner_id)
    page = await PartnerUserRepository(work, partner_id).list_by_cursor(after=after, size=size)
    return page.map(_user)


async def get(work: UnitOfWork, partner_id: UUID, user_id: UUID) -> PartnerUser:
    """The user with this id of a partner; raises NotFound."""
    await partners.get(work, partner_id)
    return _user(await PartnerUserRepository(work, partner_id).find(user_id))


async def find_id(work: UnitOfWork, partner_id: UUID, email: str) -> UUID | None:
    """The id of the partner's user with this address."""
    return await PartnerUserRepository(work, partner_id).find_id(email)


async def invite(work: UnitOfWork, partner_id: UUID, invitation: Invitation, *, now: datetime) -> PartnerUser:
    """Invite a user, who can call the API after acceptance and activation; raises NotFound, Invalid, WrongState."""
    partner = await partners.get_for_share(work, partner_id)
    violations = list(rules.violations(invitation))
    if violations:
        raise Invalid(violations)
    ensure_not_archived("voucher partner", partner.status)
    new_user = NewPartnerUser(
        id=new_id(),
        email=stored_email(invitation.email or ""),
        first_name=invitation.first_name or "",
        last_name=invitation.last_name or "",
        function_points=[RIGHT],
    )
    repository = PartnerUserRepository(work, partner_id)
    if not await repository.add(new_user, now=now):
        raise Invalid([Violation("EmailTaken", "email", f"must be unique, and '{new_user.email[:60]}' is taken")])
    user = _user(await repository.find(new_user.id))
    after = asdict(user) | {"partner_id": partner_id, "function_points": [RIGHT]}
    await audit.record(work, Change(action="Invited", kind=KIND, id=user.id, after=after), now=now)
    return user


async def move(
    work: UnitOfWork,
    partner_id: UUID,
    target: Target,
    *,
    status: UserStatus,
    rights: Collection[str] | None,
    now: datetime,
) -> PartnerUser:
    """Change the status of a user; `rights` are those of the caller.

    Raises NotFound, VersionStale, WrongState, NotAllowed.
    """
    await partners.get(work, partner_id)
    repository = PartnerUserRepository(work, partner_id)
    row = await repository.lock(target.id)
    before = _USERS.require_current(_user(row), target)
    move = _USERS.require_move(before.status, status)
    # Activation conveys all rights of the user, which may have grown since the invitation.
    if status is UserStatus.ACTIVE and row is not None:
        ensure_may_grant(row.function_points, rights)
    invitation = status if status is UserStatus.ACCEPTED else None
    await repository.change(target.id, is_active=status is UserStatus.ACTIVE, invitation=invitation)
    after = replace(before, status=status, version=before.version + 1)
    await _USERS.record(work, move.action, before, after, now=now)
    return after


def _user(row: AnyRow | None) -> PartnerUser:
    if row is None:
        raise NotFound("The voucher partner has no such user.")
    return PartnerUser(
        id=row.id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        status=user_status(row.invitation, is_active=row.is_active),
        created_at=row.created_at,
        version=row.version,
    )
