"""Who may do what, and what names and addresses may look like."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from tessera.kit.actors import Actor
from tessera.kit.errors import Invalid, LacksFunctionPoint, NotAllowed, Violation

PLATFORM_ID = UUID(int=0)
MAX_OVERLAP_HOURS = 24 * 366
MAX_TOKEN_DAYS = 3660


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


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDraft:
    """A user as somebody wants it; `parse_violations` is what its reader could not read, which is None here."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    function_points: tuple[str, ...] | None = None
    partner_id: UUID | None = None
    parse_violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDraft:
    """A client or key as somebody wants it; `parse_violations` as above."""

    name: str | None = None
    function_points: tuple[str, ...] | None = None
    parse_violations: tuple[Violation, ...] = ()


def user_violations(draft: UserDraft) -> Iterator[Violation]:
    """Everything that is wrong with a draft by itself."""
    yield from draft.parse_violations
    if draft.email is not None and not is_email_address(draft.email):
        yield Violation("InvalidEmail", "email", f"is not a valid e-mail address: {draft.email[:254]}")
    for field in ("first_name", "last_name"):
        name: str | None = getattr(draft, field)
        if name is not None:
            yield from name_violations(field, name)
    yield from function_point_violations(draft.function_points or ())


def credential_violations(draft: CredentialDraft) -> Iterator[Violation]:
    """Everything that is wrong with a draft by itself."""
    yield from draft.parse_violations
    if draft.name is not None:
        yield from name_violations("name", draft.name)
    yield from function_point_violations(draft.function_points or ())


def function_point_violations(names: Collection[str]) -> Iterator[Violation]:
    """Which of the names are no function points."""
    known = ", ".join(FunctionPoint)
    for position, name in enumerate(names):
        if name not in FunctionPoint.__members__.values():
            yield Violation("NotFunctionPoint", f"function_points/{position}", f"must be one of {known}")


def ensure_may_give(function_points: Collection[str], rights: Collection[str] | None) -> None:
    """Raise NotAllowed where somebody would give a right that they lack; None is the command line, which has all."""
    lacking = sorted(set(function_points) - set(rights if rights is not None else function_points))
    if lacking:
        raise NotAllowed(f"Nobody can give a right that they lack: {', '.join(lacking)}.")


def overlap_of(hours: int) -> timedelta:
    """How long a replaced key works on; raises Invalid."""
    if not 0 <= hours <= MAX_OVERLAP_HOURS:
        words = f"must be between 0 and {MAX_OVERLAP_HOURS:,}"
        raise Invalid([Violation("OverlapRange", "overlap_hours", words)])
    return timedelta(hours=hours)


def lifetime_of(days: int) -> timedelta:
    """How long a token is good; raises Invalid."""
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise Invalid([Violation("DaysRange", "days", f"must be between 1 and {MAX_TOKEN_DAYS:,}")])
    return timedelta(days=days)
