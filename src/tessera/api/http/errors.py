"""What only HTTP can get wrong; the services' own facts are in `tessera.kit.errors`."""

from tessera.kit.errors import DomainError


class UnknownPath(DomainError):
    """Nothing answers at this path."""

    def __init__(self) -> None:
        super().__init__("There is nothing at this path.")


class MethodNotAllowed(DomainError):
    """The path knows other methods; `allowed` names them for the `Allow` header."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"This path allows {allowed} only.")
        self.allowed = allowed


class RequestTooLarge(DomainError):
    """The body is larger than any request needs."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body must not be larger than {limit:,} bytes.")


class UnsupportedMediaType(DomainError):
    """The body is declared to be something else than what this operation reads."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"The request body must be {expected}.")


class Malformed(DomainError):
    """The request cannot be read at all."""


class VersionMissing(DomainError):
    """An update does not say which version it is of."""

    def __init__(self) -> None:
        super().__init__("The header If-Match is required, with the ETag of what was read.")


class Unexpected(DomainError):
    """A fault of ours; the log knows more."""

    def __init__(self) -> None:
        super().__init__("Internal server error.")
