"""Domain errors: services raise them, and each API renders them in its own format."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_SUMMARIZED = 5


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: a stable `code`, the domain's name of the `field`, a predicate such as "must not be blank"."""

    code: str
    field: str
    message: str


def summary_of(violations: Sequence[Violation]) -> str:
    """The fields and codes of the first violations, such as `quantity Range`, without any text of the caller."""
    # The part after `/` is text of the request: names and positions within a field, or an unknown name as in `/name`.
    texts = dict.fromkeys(f"{each.field.partition('/')[0]} {each.code}".strip() for each in violations)
    return ", ".join(list(texts)[:MAX_SUMMARIZED])


class DomainError(Exception):
    """Base class of the errors that services raise for their callers."""

    @property
    def message(self) -> str:
        """The sentence that the caller sees."""
        return str(self)

    @property
    def cause(self) -> str:
        """The reason for the log; unlike the message, it never contains text of the caller."""
        return type(self).__name__


class Invalid(DomainError):
    """Validation failed; `violations` lists all of them, in the order of the fields."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(f"{violation.field} {violation.message}" for violation in violations))
        self.violations = tuple(violations)

    @property
    def cause(self) -> str:
        """The violations without their messages, which quote the request."""
        return summary_of(self.violations)


class NotFound(DomainError):
    """The requested object does not exist for this caller."""


class Conflict(DomainError):
    """The request contradicts existing data; the message says how."""


class WrongState(Conflict):
    """The state of the object does not allow the operation; `state` names it."""

    def __init__(self, noun: str, state: str) -> None:
        super().__init__(f"The {noun} is {state}.")
        self.state = state

    @property
    def cause(self) -> str:
        """The state."""
        return self.state


class VersionStale(DomainError):
    """The object has changed since the caller read it."""

    def __init__(self) -> None:
        super().__init__("The version in If-Match is not the current one. Read the resource again.")


class TooManyResults(DomainError):
    """A query matches more records than may be listed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The query matches more than {limit:,} records. Refine it using filters.")


class NotAuthenticated(DomainError):
    """The credential is missing, malformed, expired, revoked or unknown; the message quotes nothing of it."""

    @property
    def cause(self) -> str:
        """The message."""
        return self.message


class LacksFunctionPoint(DomainError):
    """The caller is authenticated, but lacks a function point."""

    def __init__(self, function_point: str) -> None:
        super().__init__(f"The function point {function_point} is required.")
        self.function_point = function_point

    @property
    def cause(self) -> str:
        """The function point."""
        return self.function_point


class TooManyRequests(DomainError):
    """The caller has used up a budget or a share, named by `limit`; it may try again after `retry_after` seconds."""

    def __init__(self, message: str, *, limit: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after = retry_after


class Unavailable(DomainError):
    """The request cannot be executed now; it may succeed after `retry_after` seconds."""

    retry_after = 2


class OrganizationFrozen(Unavailable):
    """The organization can be read, and not changed, because it is being copied."""

    retry_after = 30

    def __init__(self) -> None:
        super().__init__("The organization is frozen: it can be read, but not changed. Try again later.")


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or temporarily rejects transactions."""

    def __init__(self, message: str = "The database is not available. Try again shortly.") -> None:
        super().__init__(message)


class TransactionAborted(DatabaseUnavailable):
    """The database rolled the transaction back, for example after a deadlock or a timeout; a retry may succeed."""


class NodeUnavailable(TransactionAborted):
    """A node of a distributed database cannot be reached, which affects no organization on other nodes."""


class DeadlineExceeded(DatabaseUnavailable):
    """The work took longer than its time limit. It was stopped and its transaction rolled back."""

    def __init__(self) -> None:
        super().__init__("The request took longer than its time limit. Try again shortly.")


class NotAllowed(DomainError):
    """The caller has the function point, but the request is still forbidden; the message says why."""
