"""The space that one organization may take with stored responses, so that it cannot fill the disk with new keys."""

import math
from uuid import UUID

from tessera.kit.errors import TooManyRequests
from tessera.kit.token_buckets import Rate, TokenBuckets

# Of a row besides its body: the key, the digest, and the entries of three indexes.
BYTES_OF_ROW = 500
MAX_ORGANIZATIONS = 20_000


class ResponseSpace:
    """The bytes of responses that this process has stored for each organization: `burst` at once, then the rate."""

    def __init__(self, rate: Rate) -> None:
        self._buckets: TokenBuckets[UUID] = TokenBuckets(rate, max_keys=MAX_ORGANIZATIONS)

    def refusal(self, organization_id: UUID) -> TooManyRequests | None:
        """The error of another request with a new key, if the organization has no room for its response."""
        if seconds := self._buckets.seconds_until_room(organization_id):
            message = "Too many responses of your organization are stored under an Idempotency-Key. Try again later."
            return TooManyRequests(message, limit="stored responses", retry_after=math.ceil(seconds))
        return None

    def take(self, organization_id: UUID, body: bytes) -> None:
        """Count a response."""
        self._buckets.spend(organization_id, BYTES_OF_ROW + len(body))
