"""Statements on texts of one tenant that are both a promo code's and a voucher's."""

from collections.abc import Collection
from typing import Any

from tessera.kit.db.advisory_locks import lock, lock_number
from tessera.kit.db.arrays import Texts
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.kit.normalization import key_of

LOCK_SHARED = "select pg_advisory_xact_lock_shared(%(number)s::bigint)"
# One text at a time: a join could read all promo codes or vouchers of the organization.
CLASHES = """
select texts.name_key
from unnest(%(name_keys)s::text[], %(voucher_codes)s::text[]) as texts (name_key, voucher_code)
cross join lateral (
    select from promo_codes p
    where p.organization_id = %(organization_id)s and p.name_key = texts.name_key
    limit 1
) p
cross join lateral (
    select from vouchers v
    where v.organization_id = %(organization_id)s and v.code = texts.voucher_code
    limit 1
) v
"""


class TextRepository:
    """The texts of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def lock(self) -> None:
        """Lock the texts of the organization until the transaction ends."""
        await lock(self._connection, self._lock_name)

    async def lock_shared(self) -> None:
        """Exclude the transactions that lock the texts, until this one ends."""
        await execute_text(self._connection, LOCK_SHARED, {"number": lock_number(self._lock_name)})

    @property
    def _lock_name(self) -> str:
        return f"texts/{self._organization_id}"

    async def find_clashes(self, texts: Collection[str]) -> set[str]:
        """The keys of those texts that are both a promo code's and a voucher's."""
        values: dict[str, Any] = {
            "organization_id": self._organization_id,
            "name_keys": Texts([key_of(text) for text in texts]),
            "voucher_codes": Texts([text.upper() for text in texts]),
        }
        return {key for (key,) in await (await execute_text(self._connection, CLASHES, values)).fetchall()}
