"""Errors of the HTTP layer; the errors that services raise are in `tessera.kit.errors`."""

from tessera.kit.errors import DomainError, Unavailable


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


class HeadTooLarge(DomainError):
    """The request line and the headers exceed the limit of the server."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request line and the headers must not be larger than {limit:,} bytes.")


class HeadTooSlow(DomainError):
    """The request line and the headers did not arrive in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request line and the headers must arrive within {seconds:g} seconds.")


class BodyTooSlow(DomainError):
    """The body arrives more slowly than the server waits for."""

    def __init__(self, bytes_per_second: int) -> None:
        super().__init__(f"The request body must arrive at {bytes_per_second:,} bytes per second or more.")


class TooManyConnections(Unavailable):
    """The server has as many busy connections as it accepts."""

    def __init__(self) -> None:
        super().__init__("The server has too many connections. Try again shortly.")


class UnsupportedMediaType(DomainError):
    """The operation does not accept the declared media type."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"The request body must be {expected}.")


class Malformed(DomainError):
    """The request cannot be parsed."""


class UnknownHost(Malformed):
    """Links cannot be built for the host of the request, which is not one of this installation."""

    def __init__(self) -> None:
        super().__init__(
            "The server does not build links for the host of this request. Its operator can set TESSERA_PUBLIC_URL or"
            " TESSERA_ALLOWED_HOSTS."
        )


class VersionMissing(DomainError):
    """A request that changes a resource has no `If-Match` header."""

    def __init__(self) -> None:
        super().__init__("The header If-Match is required. Send the ETag of the representation that you read.")


class Unexpected(DomainError):
    """An unexpected exception; the log has its traceback."""

    def __init__(self) -> None:
        super().__init__("Internal server error.")
