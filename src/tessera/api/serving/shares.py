"""The shares of organizations in the heavy work and the request bodies of one process."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request

from tessera.api.http.parsing import is_transfer, size_of_body
from tessera.idempotency.service import ResponseSpace
from tessera.identity.authentication.policies import Policy
from tessera.kit.shares import FairSlots, SlotTimeouts, Space
from tessera.kit.token_buckets import Rate

# A longer body may have thousands of addresses, whose check takes seconds in a thread. A hot request with such a body
# is executed by itself, so that no other request waits for it.
LARGE_BODY_BYTES = 16 * 1024
# A longer validation has hundreds of codes, and takes a second.
LARGE_VALIDATION_BYTES = 4 * 1024
# Each item of a page may have 8 kB of metadata, and notes.
LARGE_PAGE_ITEMS = 100
MAX_UPLOADS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLimits:
    """The limits of one process, and the part that one organization may use of each.

    `heavy` counts imports, exports and reports that run at once, and `large` the large bodies, validations and pages.
    `bodies` and `uploads` are bytes of bodies in memory and of files on disk. `open_imports_of_one` counts the imports
    of one organization that wait, arrive or run, and `responses_of_one` the bytes of its stored responses.
    """

    heavy: int
    heavy_of_one: int
    large: int
    large_of_one: int
    bodies: int
    bodies_of_one: int
    uploads: int
    uploads_of_one: int
    open_imports_of_one: int
    responses_of_one: Rate
    slot_timeouts: SlotTimeouts


class Shares:
    """The heavy work and the bodies of one process. Each method raises TooManyRequests beyond the share."""

    def __init__(self, limits: ShareLimits) -> None:
        timeouts = limits.slot_timeouts
        self._heavy: FairSlots[UUID] = FairSlots(
            limits.heavy, per_key=limits.heavy_of_one, timeouts=timeouts, name="heavy work"
        )
        # A file may take minutes, for which a shop with a long validation does not wait.
        self._large: FairSlots[UUID] = FairSlots(
            limits.large, per_key=limits.large_of_one, timeouts=timeouts, name="large requests"
        )
        self._uploads: FairSlots[UUID] = FairSlots(
            MAX_UPLOADS, per_key=limits.heavy_of_one, timeouts=timeouts, name="uploads"
        )
        self._imports: Space[UUID] = Space(MAX_UPLOADS, per_key=limits.open_imports_of_one, name="imports")
        self._memory: Space[UUID] = Space(limits.bodies, per_key=limits.bodies_of_one, name="bodies")
        self.responses = ResponseSpace(limits.responses_of_one)
        self._disk: Space[UUID] = Space(limits.uploads, per_key=limits.uploads_of_one, name="bytes of uploads")

    def heavy(self, organization_id: UUID) -> AbstractAsyncContextManager[None]:
        """A slot for heavy work."""
        return self._heavy.slot(organization_id)

    def large(self, organization_id: UUID) -> AbstractAsyncContextManager[None]:
        """A slot for a large request, which ends within the time limit of any request."""
        return self._large.slot(organization_id)

    async def work(self, request: Request, policy: Policy, organization_id: UUID) -> AbstractAsyncContextManager[None]:
        """A slot for heavy work at its paths, or for a large request if its body or its page is large.

        A request that has a slot needs no other one.
        """
        if getattr(request.state, "has_heavy_slot", False):
            return nullcontext()
        if is_transfer(request.scope["path"]):
            return self.heavy(organization_id)
        limit = LARGE_VALIDATION_BYTES if policy.asks_for_codes else LARGE_BODY_BYTES
        if await size_of_body(request) > limit or _asks_for_large_page(request):
            return self.large(organization_id)
        return nullcontext()

    @asynccontextmanager
    async def upload(self, organization_id: UUID) -> AsyncIterator[None]:
        """A slot for an incoming file."""
        with self._imports.account(organization_id) as imports:
            imports.take(1, message="Too many imports of your organization are open. Try again shortly.")
            async with self._uploads.slot(organization_id):
                yield

    def space(self, request: Request) -> Space[UUID]:
        """The space that the body of this request takes."""
        return self._disk if is_transfer(request.scope["path"]) else self._memory


def _asks_for_large_page(request: Request) -> bool:
    limit = request.query_params.get("limit", "")
    return limit.isdecimal() and int(limit[:7]) > LARGE_PAGE_ITEMS
