"""Users and their whole life: invited, changed, switched off and on."""

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.identity import rules
from tessera.identity.errors import NameTaken
from tessera.identity.rules import UserDraft
from tessera.identity.users.repository import ManagedUser, UserFilter, UserRepository
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound, WrongState
from tessera.kit.identifiers import new_id

__all__ = ["ManagedUser", "UserFilter"]

KIND = "User"
# The standing of a voucher partner's user who was asked to call for it, and has not agreed yet.
INVITED = "Invited"

Rights = Collection[str] | None


async def create(work: UnitOfWork, *, draft: UserDraft, rights: Rights, now: datetime) -> ManagedUser:
    """Add a user, a partner's if one is given; raises Invalid, NameTaken, NotAllowed."""
    first_name, last_name, function_points = _checked(draft)
    if draft.email is None:
        raise Invalid([])
    rules.ensure_may_give(function_points, rights)
    user = ManagedUser(
        id=new_id(),
        email=draft.email,
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
    await audit.record(work, Change(action=Action.CREATED, kind=KIND, id=user.id, after=asdict(user)), now=now)
    return user


async def get(work: UnitOfWork, user_id: UUID) -> ManagedUser:
    """The user with this id; raises NotFound."""
    return _found(await UserRepository(work).find(user_id))


async def get_by_email(work: UnitOfWork, email: str) -> ManagedUser:
    """The user with this address, in any case; raises NotFound."""
    user = await UserRepository(work).find_by_email(email)
    if user is None:
        raise NotFound(f"There is no user {email}.")
    return user


async def list_by_cursor(
    work: UnitOfWork, *, wanted: UserFilter, after: str | None, size: int
) -> CursorPage[ManagedUser]:
    """A part of the users, oldest first; raises Invalid for a cursor of another list."""
    return await UserRepository(work).list_by_cursor(wanted, after=after, size=size)


async def update(work: UnitOfWork, target: Target, *, draft: UserDraft, rights: Rights, now: datetime) -> ManagedUser:
    """Give a user other names and rights; the address stays. Raises Invalid, NotAllowed, NotFound, VersionStale."""
    first_name, last_name, function_points = _checked(draft)
    user = await _lock(work, target)
    # To take a right is free, also one that the taker lacks.
    rules.ensure_may_give(set(function_points) - set(user.function_points), rights)
    after = replace(user, first_name=first_name, last_name=last_name, function_points=function_points)
    return await _change(work, user, after, Action.UPDATED, now=now)


async def deactivate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedUser:
    """Switch a user off, and with it all its tokens; raises NotFound, VersionStale, WrongState."""
    user = await _lock(work, target)
    if not user.is_active:
        raise WrongState("user", "Inactive")
    return await _change(work, user, replace(user, is_active=False), Action.DEACTIVATED, now=now)


async def activate(work: UnitOfWork, target: Target, *, rights: Rights, now: datetime) -> ManagedUser:
    """Switch a user on, but nobody who has not accepted; raises NotAllowed, NotFound, VersionStale, WrongState."""
    user = await _lock(work, target)
    if user.is_active:
        raise WrongState("user", "Active")
    if user.invitation == INVITED:
        raise WrongState("user", INVITED)
    rules.ensure_may_give(user.function_points, rights)
    return await _change(work, user, replace(user, is_active=True, invitation=None), Action.ACTIVATED, now=now)


def _checked(draft: UserDraft) -> tuple[str, str, tuple[str, ...]]:
    violations = list(rules.user_violations(draft))
    if violations or draft.first_name is None or draft.last_name is None or draft.function_points is None:
        raise Invalid(violations)
    return draft.first_name, draft.last_name, tuple(sorted(set(draft.function_points)))


async def _lock(work: UnitOfWork, target: Target) -> ManagedUser:
    user = _found(await UserRepository(work).lock(target.id))
    target.ensure(user.version)
    return user


async def _change(
    work: UnitOfWork, before: ManagedUser, after: ManagedUser, action: Action, *, now: datetime
) -> ManagedUser:
    after = replace(after, version=before.version + 1)
    await UserRepository(work).change(after)
    change = Change(action=action, kind=KIND, id=after.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after


def _found(user: ManagedUser | None) -> ManagedUser:
    if user is None:
        raise NotFound("There is no such user.")
    return user
