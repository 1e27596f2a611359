"""Responses that clients have not read yet, which wait in the memory of this process."""

from collections import Counter
from uuid import UUID

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tessera.kit.errors import TooManyRequests

# The key of a request's state under which its connection keeps the unread responses of the process.
UNREAD = "unread"
# Under this key, a request has the organization whose credential it has proved, to which its response counts.
READER = "reader"
MESSAGE = "Your organization has not read many of its responses yet. Read them, or close their connections."


class UnreadResponses:
    """The bytes of the responses of each organization that the system has not taken over from this process."""

    def __init__(self, total: int, *, per_organization: int) -> None:
        self._total = total
        self._per_organization = per_organization
        self._bytes: Counter[UUID] = Counter()
        self._sum = 0

    def admit(self, organization_id: UUID) -> None:
        """Raise TooManyRequests if too much of this organization is unread, or some of it and too much in all."""
        own = self._bytes[organization_id]
        if own > self._per_organization or (own and self._sum > self._total):
            raise TooManyRequests(MESSAGE, limit="unread responses")

    def add(self, organization_id: UUID, size: int) -> None:
        """Count bytes that wait, or no longer wait if `size` is negative."""
        self._sum += size
        self._bytes[organization_id] += size
        if self._bytes[organization_id] <= 0:
            del self._bytes[organization_id]


class CountedConnection(HttpToolsProtocol):
    """A connection whose unread response counts from the moment at which its client reads too slowly."""

    unread: UnreadResponses  # of the process
    _handled: RequestResponseCycle | None = None
    _counted: tuple[UUID, int] | None = None

    def on_headers_complete(self) -> None:
        """Let the application ask for the unread responses of a caller."""
        self.scope["state"][UNREAD] = self.unread
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Count what the client has not read."""
        super().pause_writing()
        organization_id = self._handled and self._handled.scope["state"].get(READER)
        if organization_id and not self._counted:
            self._counted = organization_id, self.transport.get_write_buffer_size()
            self.unread.add(*self._counted)

    def resume_writing(self) -> None:
        """Count it no longer."""
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no longer."""
        super().connection_lost(exc)
        self._forget()

    def _forget(self) -> None:
        if self._counted:
            organization_id, size = self._counted
            self.unread.add(organization_id, -size)
            self._counted = None
