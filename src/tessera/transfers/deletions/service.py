"""The deletion of an organization: a request after an export, then, after a waiting time, the deletion in batches."""

from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Access
from tessera.kit.errors import Conflict, NotAllowed, WrongState
from tessera.promo_codes.uses import service as promo_codes
from tessera.promo_codes.uses.service import UseChange
from tessera.transfers.deletions.repository import DeletionRepository
from tessera.transfers.repository import TABLES, TransferRepository
from tessera.transfers.service import ORGANIZATIONS, OpenWork, Progress


class NotDue(Conflict):
    """The waiting time of a deletion has not passed."""

    def __init__(self, due_at: datetime) -> None:
        super().__init__(f"The organization can be deleted from {due_at:%Y-%m-%d %H:%M} UTC on.")


async def request(open_work: OpenWork, organization_id: UUID, *, digest: str, due_at: datetime, now: datetime) -> None:
    """Request the deletion of a frozen organization, whose export has this digest.

    Raises NotAllowed, and WrongState if it is not frozen or the deletion is requested already.
    """
    if organization_id == PLATFORM_ID:
        raise NotAllowed("The platform cannot be deleted.")
    async with open_work(organization_id, Access.MOVE) as work:
        repository = DeletionRepository(work)
        if not await repository.lock_frozen():
            raise WrongState("organization", "not frozen")
        if await repository.find() is not None:
            raise WrongState("organization", "about to be deleted")
        await repository.request(digest=bytes.fromhex(digest), due_at=due_at, now=now)
        async with work.pinned_to(PLATFORM_ID) as platform_work:
            after = {"digest_of_file": digest, "due_at": due_at}
            change = Change(action="DeletionRequested", kind="Organization", id=organization_id, after=after)
            await audit.record(platform_work, change, now=now)


async def find_import(open_work: OpenWork, organization_id: UUID) -> str | None:
    """The digest of the file of an import that is not complete, if there is one."""
    async with open_work(organization_id, Access.MOVE) as work:
        unfinished = await TransferRepository(work).lock()
    return None if unfinished is None else unfinished.digest.hex()


async def cancel(open_work: OpenWork, organization_id: UUID, *, now: datetime) -> None:
    """Cancel a deletion that has not begun; the organization stays frozen. Raises WrongState."""
    async with open_work(organization_id, Access.MOVE) as work:
        repository = DeletionRepository(work)
        deletion = await repository.find()
        if deletion is None or deletion.begun_at is not None:
            raise WrongState("organization", "not about to be deleted" if deletion is None else "being deleted")
        await repository.cancel()
        async with work.pinned_to(PLATFORM_ID) as platform_work:
            change = Change(action="DeletionCancelled", kind="Organization", id=organization_id)
            await audit.record(platform_work, change, now=now)


async def delete(open_work: OpenWork, organization_id: UUID, *, set_position: Progress, now: datetime) -> int:
    """Delete everything of an organization, or the rest of it after an interruption; returns the number of rows.

    Each transaction deletes a few hundred rows, of an organization that nobody else uses. Raises NotDue, WrongState.
    """
    await _begin(open_work, organization_id, now=now)
    async with open_work(organization_id, Access.MOVE) as work:
        deletable = await DeletionRepository(work).list_deletable()
    deleted = 0
    for table in reversed([*TABLES]):
        while table != ORGANIZATIONS and (
            count := await _delete_rows(open_work, organization_id, table, is_protected=table not in deletable)
        ):
            deleted += count
            set_position(deleted)
    await _end(open_work, organization_id, now=now)
    return deleted + 1


async def _begin(open_work: OpenWork, organization_id: UUID, *, now: datetime) -> None:
    async with open_work(organization_id, Access.MOVE) as work:
        repository = DeletionRepository(work)
        deletion = await repository.find()
        if deletion is None:
            raise WrongState("organization", "not about to be deleted")
        if now < deletion.due_at:
            raise NotDue(deletion.due_at)
        if deletion.begun_at is not None:
            return
        await repository.note_beginning(now=now)
        # Its uses of global promo codes no longer count, as the ledger will not have them.
        sums = await TransferRepository(work).sum_global_uses()
        uses = {code: UseChange(-redeemed, -held) for code, redeemed, held in sums}
        await promo_codes.count_uses_for_each(work, {organization_id: uses} if uses else {})
        async with work.pinned_to(PLATFORM_ID) as platform_work:
            await DeletionRepository(platform_work).delete_shares(organization_id)


async def _delete_rows(open_work: OpenWork, organization_id: UUID, table: str, *, is_protected: bool) -> int:
    if is_protected:
        async with open_work(PLATFORM_ID, Access.CHANGE) as work:
            return await DeletionRepository(work).delete_protected_rows(organization_id, table)
    async with open_work(organization_id, Access.MOVE) as work:
        return await DeletionRepository(work).delete_rows(table)


async def _end(open_work: OpenWork, organization_id: UUID, *, now: datetime) -> None:
    async with open_work(organization_id, Access.MOVE) as work:
        repository = DeletionRepository(work)
        deletion = await repository.find()
        if deletion is None:
            raise WrongState("organization", "deleted")
        await repository.end()
        async with work.pinned_to(PLATFORM_ID) as platform_work:
            after = {"digest_of_file": deletion.digest.hex()}
            change = Change(action="Deleted", kind="Organization", id=organization_id, after=after)
            await audit.record(platform_work, change, now=now)
