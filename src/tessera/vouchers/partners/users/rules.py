"""The life of a partner's user: invited, accepted, active; switched off, and on again."""

from collections.abc import Iterator
from dataclasses import dataclass

from tessera.identity.rules import is_email_address, name_violations
from tessera.kit.errors import Violation, WrongState
from tessera.vouchers.rules import UserStatus

# What a user may become, and from where. Only an active one can call.
_FROM = {
    UserStatus.ACCEPTED: {UserStatus.INVITED},
    UserStatus.ACTIVE: {UserStatus.ACCEPTED, UserStatus.INACTIVE},
    UserStatus.INACTIVE: {UserStatus.INVITED, UserStatus.ACCEPTED, UserStatus.ACTIVE},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Who shall call for a partner; None is what could not be read, as `parse_violations` tells."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    parse_violations: tuple[Violation, ...] = ()


def violations(invitation: Invitation) -> Iterator[Violation]:
    """Everything that is wrong with an invitation by itself."""
    yield from invitation.parse_violations
    if invitation.email is not None and not is_email_address(invitation.email):
        yield Violation("NotEmail", "email", "must be a valid e-mail address")
    for field in ("first_name", "last_name"):
        name: str | None = getattr(invitation, field)
        if name is not None:
            yield from name_violations(field, name)


def check_move(status: UserStatus, wanted: UserStatus) -> None:
    """Raise WrongState where a user of this status cannot become what is wanted."""
    if status not in _FROM[wanted]:
        raise WrongState("user", status)
