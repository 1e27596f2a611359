"""Users: creation, edits, deactivation and reactivation."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.identity import rules
from tessera.identity.errors import LastAdministrator, NameTaken
from tessera.identity.rules import ACTIVE, INACTIVE, FunctionPoint, Rights, UserDraft
from tessera.identity.users.repository import ManagedUser, UserFilter, UserRepository
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound, WrongState
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import stored_email

__all__ = ["ManagedUser", "UserFilter"]

_USERS: Editable[ManagedUser] = Editable(kind="User", noun="user", moves=rules.MOVES)
# The state of an invitation that a user of a voucher partner has not accepted yet.
_INVITED = "Invited"


async def create(work: UnitOfWork, *, draft: UserDraft, rights: Rights, now: datetime) -> ManagedUser:
    """Create a user, of a voucher partner if the draft names one; raises Invalid, NameTaken, NotAllowed."""
    first_name, last_name, function_points = _validate(draft)
    if draft.email is None:
        raise Invalid([])
    rules.ensure_may_grant(function_points, rights)
    user = ManagedUser(
        id=new_id(),
        email=stored_email(draft.email),
        first_name=first_name,
        last_name=last_name,
        function_points=function_points,
        partner_id=draft.partner_id,
        is_active=True,
        invitation=None,
        created_at=now,
        version=editing.FIRST,
    )
    if not await UserRepository(work).add(user):
        raise NameTaken("email", user.email)
    await _USERS.record_created(work, user, now=now)
    return user


async def get(work: UnitOfWork, user_id: UUID) -> ManagedUser:
    """The user with this id; raises NotFound."""
    return _USERS.require(await UserRepository(work).find(user_id))


async def get_by_email(work: UnitOfWork, email: str) -> ManagedUser:
    """The user with this address, ignoring case; raises NotFound."""
    user = await UserRepository(work).find_by_email(email)
    if user is None:
        raise NotFound(f"There is no user {email}.")
    return user


async def list_by_cursor(
    work: UnitOfWork, *, filters: UserFilter, after: str | None, size: int
) -> CursorPage[ManagedUser]:
    """A page of users, oldest first; raises Invalid for a cursor of another list."""
    return await UserRepository(work).list_by_cursor(filters, after=after, size=size)


async def update(work: UnitOfWork, target: Target, *, draft: UserDraft, rights: Rights, now: datetime) -> ManagedUser:
    """Change the names and rights of a user, never the address.

    Raises Invalid, NotAllowed, NotFound, VersionStale, LastAdministrator.
    """
    first_name, last_name, function_points = _validate(draft)
    repository = UserRepository(work)
    await repository.lock_rights()
    user = await _USERS.lock(repository, target)
    _validate(replace(draft, partner_id=user.partner_id))
    rules.ensure_may_grant(set(function_points) - set(user.function_points), rights)
    if not set(function_points).issuperset(user.function_points):
        rules.ensure_may_weaken(user.function_points, rights)
    if FunctionPoint.MANAGE_ORGANIZATION not in function_points:
        await _ensure_other_administrator(repository, user, rights)
    after = replace(user, first_name=first_name, last_name=last_name, function_points=function_points)
    return await _USERS.save(work, repository, user, after, Action.UPDATED, now=now)


async def deactivate(work: UnitOfWork, target: Target, *, rights: Rights, now: datetime) -> ManagedUser:
    """Deactivate a user and thereby all tokens of the user.

    Raises NotAllowed, NotFound, VersionStale, WrongState, LastAdministrator.
    """
    repository = UserRepository(work)
    await repository.lock_rights()
    user = await _USERS.lock(repository, target)
    move = _USERS.require_move(_status(user), INACTIVE)
    rules.ensure_may_weaken(user.function_points, rights)
    await _ensure_other_administrator(repository, user, rights)
    return await _USERS.save(work, repository, user, replace(user, is_active=False), move.action, now=now)


async def activate(work: UnitOfWork, target: Target, *, rights: Rights, now: datetime) -> ManagedUser:
    """Activate a user, unless an invitation is pending; raises NotAllowed, NotFound, VersionStale, WrongState."""
    repository = UserRepository(work)
    user = await _USERS.lock(repository, target)
    move = _USERS.require_move(_status(user), ACTIVE)
    if user.invitation == _INVITED:
        raise WrongState("user", _INVITED)
    rules.ensure_may_grant(user.function_points, rights)
    after = replace(user, is_active=True, invitation=None)
    return await _USERS.save(work, repository, user, after, move.action, now=now)


async def _ensure_other_administrator(repository: UserRepository, user: ManagedUser, rights: Rights) -> None:
    # The command line can always appoint an administrator, so it may also dismiss the last one.
    is_administrator = user.is_active and FunctionPoint.MANAGE_ORGANIZATION in user.function_points
    if rights is not None and is_administrator and not await repository.has_administrator(except_for=user.id):
        raise LastAdministrator


def _status(user: ManagedUser) -> str:
    return ACTIVE if user.is_active else INACTIVE


def _validate(draft: UserDraft) -> tuple[str, str, tuple[str, ...]]:
    violations = list(rules.user_violations(draft))
    if violations or draft.first_name is None or draft.last_name is None or draft.function_points is None:
        raise Invalid(violations)
    return draft.first_name, draft.last_name, tuple(sorted(set(draft.function_points)))
