"""Errors of the HTTP layer; the errors that services raise are in `tessera.kit.errors`."""

from tessera.kit.errors import DomainError


class UnknownPath(DomainError):
    """No operation has this path."""

    def __init__(self) -> None:
        super().__init__("There is nothing at this path.")


class MethodNotAllowed(DomainError):
    """The path has operations with other methods, which `allowed` lists for the `Allow` header."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"This path allows {allowed} only.")
        self.allowed = allowed


class RequestTooLarge(DomainError):
    """The body exceeds the limit of its path."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body must not be larger than {limit:,} bytes.")


class UnsupportedMediaType(DomainError):
    """The operation does not accept the declared media type."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"The request body must be {expected}.")


class Malformed(DomainError):
    """The request cannot be parsed."""


class VersionMissing(DomainError):
    """A request that changes a resource has no `If-Match` header."""

    def __init__(self) -> None:
        super().__init__("The header If-Match is required. Send the ETag of the representation that you read.")


class Unexpected(DomainError):
    """An unexpected exception; the log has its traceback."""

    def __init__(self) -> None:
        super().__init__("Internal server error.")
