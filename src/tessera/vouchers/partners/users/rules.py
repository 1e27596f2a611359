"""The rules of a partner's users: the contents of an invitation, and the changes of a user's status."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tessera.audit.rules import Action
from tessera.identity.rules import is_email_address, name_violations
from tessera.kit.editing import Move
from tessera.kit.errors import Violation
from tessera.kit.normalization import store_names
from tessera.vouchers.rules import UserStatus

MOVES: Mapping[str, Move] = {
    UserStatus.ACCEPTED: Move({UserStatus.INVITED}, "Accepted"),
    UserStatus.ACTIVE: Move({UserStatus.ACCEPTED, UserStatus.INACTIVE}, Action.ACTIVATED),
    UserStatus.INACTIVE: Move({UserStatus.INVITED, UserStatus.ACCEPTED, UserStatus.ACTIVE}, Action.DEACTIVATED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """The user to invite; a field that could not be parsed is None and listed in `parse_violations`."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "first_name", "last_name")


def violations(invitation: Invitation) -> Iterator[Violation]:
    """The violations of an invitation that need no query."""
    yield from invitation.parse_violations
    if invitation.email is not None and not is_email_address(invitation.email):
        yield Violation("NotEmail", "email", "must be a valid e-mail address")
    for field in ("first_name", "last_name"):
        name: str | None = getattr(invitation, field)
        if name is not None:
            yield from name_violations(field, name)
