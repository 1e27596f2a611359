"""The recount of the ledger of redemptions, to find stored counts and statuses that disagree with the ledger."""

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
    """Recount the organization that the unit of work is pinned to, without changes.

    The uses of the platform's promo codes are recounted in all organizations. The transaction must be a snapshot, which
    excludes concurrent redemptions.
    """
    ledger = LedgerRepository(work)
    await ledger.prepare()
    discrepancies = await ledger.list_discrepancies(of_global_codes=work.organization_id == PLATFORM_ID)
    return Verdict(*await ledger.count(), discrepancies)
