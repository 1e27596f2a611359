"""Function points, the standing of credentials, and the rules of names and addresses."""

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from tessera.audit.rules import Action
from tessera.kit.actors import Actor
from tessera.kit.editing import Move
from tessera.kit.errors import Invalid, LacksFunctionPoint, NotAllowed, Violation
from tessera.kit.normalization import MAX_EMAIL_LENGTH, store_names

PLATFORM_ID = UUID(int=0)
MAX_OVERLAP_HOURS = 24 * 366
MAX_TOKEN_DAYS = 3660
MAX_NETWORKS = 100
# Addresses whose part before the @ is certainly valid, as nearly all are, so that only the domain is left to check. For
# the whole address, the library takes a sixteenth of the time of a creation, and many addresses have the same domain.
PLAIN_EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@(?P<domain>[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*)"
)

ACTIVE = "Active"
INACTIVE = "Inactive"
MOVES: Mapping[str, Move] = {
    ACTIVE: Move({INACTIVE}, Action.ACTIVATED),
    INACTIVE: Move({ACTIVE}, Action.DEACTIVATED),
}

# The function points of the caller who grants rights; None stands for the command line, which may grant every right.
Rights = Collection[str] | None


class FunctionPoint(StrEnum):
    """A right, by its name."""

    PARTNER_MANAGE_PROMO_CODES = "PartnerManagePromoCodes"
    PARTNER_MANAGE_VOUCHERS = "PartnerManageVouchers"
    PARTNER_ASSIGN_VOUCHERS = "PartnerAssignVouchers"
    STOREFRONT_REDEEM = "StorefrontRedeem"
    STOREFRONT_SUPPORT = "StorefrontSupport"
    MANAGE_ORGANIZATION = "ManageOrganization"
    MANAGE_PERSONS = "ManagePersons"
    SEE_VOUCHER_CODES = "SeeVoucherCodes"


# The rights that users of a voucher partner may have; a constraint of the table says so too.
PARTNER_RIGHTS = frozenset({FunctionPoint.PARTNER_MANAGE_VOUCHERS, FunctionPoint.PARTNER_ASSIGN_VOUCHERS})


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller.

    `first_key_id` is the first key of the series of rotations that the caller's key belongs to, if any.
    `token_generation` is the generation of the tokens that a client can fetch now.
    """

    organization_id: UUID
    actor: Actor
    function_points: frozenset[str]
    partner_id: UUID | None = None
    first_key_id: UUID | None = None
    token_generation: int | None = None

    @property
    def id(self) -> UUID:
        """The caller's own id."""
        assert self.actor.id is not None, "a caller with a credential has an id"  # noqa: S101
        return self.actor.id

    def require(self, function_point: FunctionPoint) -> None:
        """Raise LacksFunctionPoint if the caller lacks the right."""
        if function_point not in self.function_points:
            raise LacksFunctionPoint(function_point)

    @property
    def family_id(self) -> UUID:
        """The id that a key and its rotations share; that of any other caller is its own."""
        return self.first_key_id or self.id


@dataclass(frozen=True, slots=True)
class Standing:
    """The revocation and expiry of a credential, and whether both its holder and its organization are active."""

    revoked_at: datetime | None
    expires_at: datetime | None
    is_active: bool


def in_good_standing(standing: Standing, *, now: datetime) -> bool:
    """Whether a credential in this standing may be used at `now`."""
    expired = standing.expires_at is not None and now >= standing.expires_at
    return standing.is_active and standing.revoked_at is None and not expired


def rights_of(user: Collection[str], token: Collection[str] | None, *, partner_id: UUID | None) -> frozenset[str]:
    """The rights of a caller: those of the user, without those that the token's issuer is recorded to have lacked."""
    rights = frozenset(user if token is None else set(user) & set(token))
    return rights if partner_id is None else rights & PARTNER_RIGHTS


def is_email_address(text: str) -> bool:
    """Whether the syntax of the address is valid; DNS is not queried."""
    if len(text) > MAX_EMAIL_LENGTH:
        return False
    plain = PLAIN_EMAIL.fullmatch(text)
    return _is_valid_domain(plain["domain"]) if plain else _is_valid_email(text)


@lru_cache(maxsize=1_000)
def _is_valid_domain(domain: str) -> bool:
    return _is_valid_email(f"x@{domain}")


def _is_valid_email(text: str) -> bool:
    # Few commands need the library, whose import takes a tenth of their start. FastAPI imports it in servers.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def name_violations(field: str, name: str) -> Iterator[Violation]:
    """The violations of a display name, which has 1 to 200 characters and no control characters."""
    if not name.strip():
        yield Violation("Blank", field, "must not be blank")
    elif len(name) > 200:
        yield Violation("TooLong", field, "must have at most 200 characters")
    elif any(ord(character) < 32 for character in name):
        yield Violation("ControlCharacter", field, "must not contain control characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDraft:
    """A user to create or change; a field that could not be parsed is None and listed in `parse_violations`."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    function_points: tuple[str, ...] | None = None
    partner_id: UUID | None = None
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "first_name", "last_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDraft:
    """A client or key to create; a field that could not be parsed is None and listed in `parse_violations`."""

    name: str | None = None
    function_points: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None  # only of keys; None or no network permits all addresses
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "name")


def user_violations(draft: UserDraft) -> Iterator[Violation]:
    """The violations of a draft that need no query."""
    yield from draft.parse_violations
    if draft.email is not None and not is_email_address(draft.email):
        yield Violation("InvalidEmail", "email", f"is not a valid e-mail address: {draft.email[:MAX_EMAIL_LENGTH]}")
    for field in ("first_name", "last_name"):
        name: str | None = getattr(draft, field)
        if name is not None:
            yield from name_violations(field, name)
    yield from function_point_violations(draft.function_points or ())
    if draft.partner_id is not None and not PARTNER_RIGHTS.issuperset(draft.function_points or ()):
        message = f"of a voucher partner's user can only be {' and '.join(sorted(PARTNER_RIGHTS))}"
        yield Violation("NotForPartner", "function_points", message)


def credential_violations(draft: CredentialDraft) -> Iterator[Violation]:
    """The violations of a draft that need no query."""
    yield from draft.parse_violations
    if draft.name is not None:
        yield from name_violations("name", draft.name)
    yield from function_point_violations(draft.function_points or ())
    yield from parse_networks(draft.networks or ())[1]


def function_point_violations(names: Collection[str]) -> Iterator[Violation]:
    """A violation for each name that is not a function point."""
    allowed_names = ", ".join(FunctionPoint)
    for position, name in enumerate(names):
        if name not in FunctionPoint.__members__.values():
            yield Violation("NotFunctionPoint", f"function_points/{position}", f"must be one of {allowed_names}")


def ensure_may_grant(function_points: Collection[str], rights: Rights) -> None:
    """Raise NotAllowed if these function points include one that the grantor lacks."""
    missing = sorted(set(function_points) - set(rights if rights is not None else function_points))
    if missing:
        raise NotAllowed(f"A caller cannot grant rights that it lacks: {', '.join(missing)}.")


def ensure_may_weaken(function_points: Collection[str], rights: Rights) -> None:
    """Raise NotAllowed if these rights are those of an administrator with a right that the caller lacks."""
    missing = sorted(set(function_points) - set(rights if rights is not None else function_points))
    if missing and FunctionPoint.MANAGE_ORGANIZATION in function_points:
        raise NotAllowed(f"Only a caller who has {', '.join(missing)} can take rights from this administrator.")


def parse_networks(texts: Collection[str]) -> tuple[tuple[str, ...], list[Violation]]:
    """The networks in their usual form, each once, and a violation for each text that is not a network."""
    networks, violations = dict[str, None](), []
    for position, text in enumerate(texts):
        try:
            networks[str(ipaddress.ip_network(text.strip()))] = None
        except ValueError:
            message = "must be an IP address or a network such as 192.0.2.0/24, without host bits"
            violations.append(Violation("NotNetwork", f"networks/{position}", message))
    if len(networks) > MAX_NETWORKS:
        violations.append(Violation("TooMany", "networks", f"must have at most {MAX_NETWORKS} items"))
    return tuple(networks), violations


def overlap_of(hours: int) -> timedelta:
    """The time for which a replaced key stays valid; raises Invalid."""
    if not 0 <= hours <= MAX_OVERLAP_HOURS:
        message = f"must be between 0 and {MAX_OVERLAP_HOURS:,}"
        raise Invalid([Violation("OverlapRange", "overlap_hours", message)])
    return timedelta(hours=hours)


def lifetime_of(days: int) -> timedelta:
    """The lifetime of a token; raises Invalid."""
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise Invalid([Violation("DaysRange", "days", f"must be between 1 and {MAX_TOKEN_DAYS:,}")])
    return timedelta(days=days)
