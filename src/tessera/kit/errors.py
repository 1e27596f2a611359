"""Facts that services raise: what is wrong, never how a protocol says so."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: a stable `code`, the domain's name of the `field`, and its predicate ("must not be blank")."""

    code: str
    field: str
    message: str


class DomainError(Exception):
    """Base of everything that a service tells its caller by raising."""

    @property
    def message(self) -> str:
        """The sentence for the caller."""
        return str(self)


class Invalid(DomainError):
    """The request breaks rules; `violations` names every one, in field order."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(f"{violation.field} {violation.message}" for violation in violations))
        self.violations = tuple(violations)


class NotFound(DomainError):
    """What was asked for does not exist for this caller."""


class Conflict(DomainError):
    """What is asked for contradicts what is there; the message says how."""


class WrongState(Conflict):
    """It is in a state in which this cannot be done; `state` names it."""

    def __init__(self, what: str, state: str) -> None:
        super().__init__(f"The {what} is {state}.")
        self.state = state


class VersionStale(DomainError):
    """It was changed since the caller has read it."""

    def __init__(self) -> None:
        super().__init__("It was changed meanwhile. Read it again.")


class TooManyResults(DomainError):
    """A query matches more records than may be listed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The query matches more than {limit:,} records. Refine it using filters.")


class NotAuthenticated(DomainError):
    """The credential is missing, malformed, expired, revoked or unknown."""


class LacksFunctionPoint(DomainError):
    """The caller is known but has no right to this."""

    def __init__(self, function_point: str) -> None:
        super().__init__(f"The function point {function_point} is required.")


class DatabaseUnavailable(DomainError):
    """The database cannot be reached, or asks to come again."""

    def __init__(self) -> None:
        super().__init__("The database is not available. Try again shortly.")


class TransactionAborted(DatabaseUnavailable):
    """The database has undone the transaction, as of a deadlock or a time limit: asked again, it may go better."""


class NotAllowed(DomainError):
    """The caller has the right by name, and still may not do this; the message says why."""
