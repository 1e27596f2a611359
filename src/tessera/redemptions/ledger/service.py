"""The recount of the ledger of redemptions, which finds stored counts and statuses that disagree with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.redemptions.ledger.repository import LedgerRepository
from tessera.redemptions.rules import Discrepancy


@dataclass(frozen=True, slots=True)
class Verdict:
    """The numbers of recounted entries and redemptions, and the first thousand discrepancies of each kind."""

    entries: int
    redemptions: int
    discrepancies: Sequence[Discrepancy]


async def verify(work: UnitOfWork) -> Verdict:
    """Recount the organization that the unit of work is pinned to, in one snapshot; changes nothing.

    For the platform, its promo codes are recounted over all organizations. Must come first in the transaction.
    """
    ledger = LedgerRepository(work)
    await ledger.prepare()
    discrepancies = await ledger.list_discrepancies(of_global_codes=work.organization_id == PLATFORM_ID)
    return Verdict(*await ledger.count(), discrepancies)
