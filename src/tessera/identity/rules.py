"""Who may do what, and what names and addresses may look like."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from tessera.kit.actors import Actor
from tessera.kit.errors import LacksFunctionPoint, Violation

PLATFORM_ID = UUID(int=0)


class FunctionPoint(StrEnum):
    """A right by name."""

    PARTNER_MANAGE_PROMO_CODES = "PartnerManagePromoCodes"
    PARTNER_MANAGE_VOUCHERS = "PartnerManageVouchers"
    STOREFRONT_REDEEM = "StorefrontRedeem"
    MANAGE_ORGANIZATION = "ManageOrganization"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller."""

    organization_id: UUID
    actor: Actor
    function_points: frozenset[str]
    partner_id: UUID | None = None

    @property
    def id(self) -> UUID:
        """The caller's own id."""
        assert self.actor.id is not None, "who shows a credential has an id"  # noqa: S101
        return self.actor.id

    def require(self, function_point: FunctionPoint) -> None:
        """Raise LacksFunctionPoint unless the caller has the right."""
        if function_point not in self.function_points:
            raise LacksFunctionPoint(function_point)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says of a credential: when it ends, and whether its holder and organization still count."""

    revoked_at: datetime | None
    expires_at: datetime | None
    is_active: bool


def in_good_standing(standing: Standing, *, now: datetime) -> bool:
    """Whether a credential that was recognized may be used at `now`."""
    expired = standing.expires_at is not None and now >= standing.expires_at
    return standing.is_active and standing.revoked_at is None and not expired


def is_email_address(text: str) -> bool:
    """Whether the text is a valid address by its syntax; no name is looked up."""
    if len(text) > 254:
        return False
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def name_violations(field: str, name: str) -> Iterator[Violation]:
    """What is wrong with a name that people read: 1 to 200 characters, none of them a control character."""
    if not name.strip():
        yield Violation("Blank", field, "must not be blank")
    elif len(name) > 200:
        yield Violation("TooLong", field, "must have at most 200 characters")
    elif any(ord(character) < 32 for character in name):
        yield Violation("ControlCharacter", field, "must not contain control characters")
