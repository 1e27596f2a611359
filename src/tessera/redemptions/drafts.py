"""Requests to redeem codes."""

from dataclasses import dataclass
from datetime import timedelta

from tessera.codes.rules import ProductChoice
from tessera.identity.rules import Principal
from tessera.kit.normalization import key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The person who takes the exam."""

    person_id: str
    client_candidate_id: str
    first_name: str
    last_name: str
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionDraft:
    """A redemption to make: immediate if `hold` is None, otherwise a hold of this duration."""

    code: str
    reservation_code: str
    product: ProductChoice
    candidate: Candidate
    hold: timedelta | None
    caller: Principal | None = None
    max_holds: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The reservation and the code; a reservation uses a code at most once."""
        return self.reservation_code, key_of(self.code)
