"""Statements on the uses of promo codes by name, global ones included.

Each calls a SQL function that checks access itself, because global codes are rows of another tenant.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tessera.codes.rules import Use
from tessera.identity.authentication.credentials import Credential
from tessera.kit.db.arrays import Binaries, Texts, Uuids
from tessera.kit.db.compiled_queries import Step, TextQuery
from tessera.kit.db.passes import Part, execute_parts
from tessera.kit.db.unit_of_work import AnyRow, Reader, UnitOfWork
from tessera.kit.normalization import email_key, key_of


class UsabilityRequest(NamedTuple):
    """A request to check a code for the holder of a key, and for a product bundle if it names one."""

    key: Credential
    code: str | None
    product_bundle_id: UUID | None


class UseChange(NamedTuple):
    """The numbers to add to the counts of a promo code."""

    redeemed: int
    held: int


_FIND_FOR_STOREFRONT = TextQuery("""
select * from look_up_promo_codes(
    %(code_keys)s::text[], %(exam_ids)s::uuid[], %(bundle_ids)s::uuid[], %(email_keys)s::text[],
    %(person_ids)s::text[], %(as_of)s::timestamptz
)
""")


_LOCK = TextQuery("select lock_promo_codes(%(names)s::text[], %(ids)s::uuid[], %(as_of)s::timestamptz)")
_COUNT = TextQuery("select count_promo_code_uses(%(ids)s::uuid[], %(redeemed)s::integer[], %(held)s::integer[])")


async def lock_for_each(work: UnitOfWork, ids: Mapping[UUID, Sequence[UUID]], *, as_of: datetime) -> None:
    """Lock those codes of each organization that have a limit, and end their lapsed holds."""
    parts = [Part(each, _LOCK, {"names": [], "ids": Uuids(own), "as_of": as_of}) for each, own in ids.items()]
    await execute_parts(work, parts)


async def count_uses_for_each(work: UnitOfWork, changes: Mapping[UUID, Mapping[UUID, UseChange]]) -> None:
    """Change the counts of locked promo codes of each organization that have a limit in total."""
    await execute_parts(work, [Part(each, _COUNT, _count_values(own)) for each, own in changes.items()])


def _count_values(changes: Mapping[UUID, UseChange]) -> dict[str, Any]:
    return {
        "ids": Uuids([*changes]),
        "redeemed": [change.redeemed for change in changes.values()],
        "held": [change.held for change in changes.values()],
    }


class PromoCodeUseRepository:
    """The uses of promo codes that the organization of the unit of work can see."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection

    def finding(self, uses: Sequence[tuple[str, Use]], *, as_of: datetime) -> Step[Sequence[AnyRow]]:
        """The step that finds codes by name for these uses; an own code takes precedence over a global one.

        The column `asked` is the position of the use, from 1.
        """
        values = {
            "code_keys": Texts([key_of(code) for code, _ in uses]),
            "exam_ids": Uuids([use.store_exam_id for _, use in uses]),
            "bundle_ids": Uuids([use.product_bundle_id for _, use in uses]),
            "email_keys": Texts([use.candidate_email and email_key(use.candidate_email) for _, use in uses]),
            "person_ids": Texts([use.person_id for _, use in uses]),
            "as_of": as_of,
        }
        return Step(_FIND_FOR_STOREFRONT, values, lambda rows: rows)

    def locking(self, *, names: Sequence[str], ids: Sequence[UUID], as_of: datetime) -> Step[frozenset[UUID]]:
        """The step that locks those of these codes that have a limit, and ends their lapsed holds.

        Its result is the ids of all these codes. The locks are taken in one order, so that concurrent calls cannot
        deadlock.
        """
        values = {"names": Texts([key_of(name) for name in names]), "ids": Uuids([*ids]), "as_of": as_of}
        return Step(_LOCK, values, lambda rows: frozenset(rows[0].lock_promo_codes))

    def counting(self, changes: Mapping[UUID, UseChange]) -> Step[None]:
        """The step that changes the counts of locked promo codes that have a limit in total."""
        return Step(_COUNT, _count_values(changes), lambda _: None)

    async def recount(self, promo_code_id: UUID, *, as_of: datetime) -> tuple[int, int]:
        """The numbers of redeemed and held uses of an own code; locks the code against uses by others."""
        result = await self._connection.exec_driver_sql(
            "select redeemed, held from recount_promo_codes(%s::uuid[], %s::timestamptz)", ([promo_code_id], as_of)
        )
        row = result.one()
        return row.redeemed, row.held


FIND_USABILITY = """
select * from validate_promo_codes(
    %(organization_ids)s, %(key_ids)s, %(code_keys)s, %(bundle_ids)s, %(digests)s, %(addresses)s::inet[],
    %(as_of)s::timestamptz
)
"""


async def find_usability(
    reader: Reader, requests: Sequence[UsabilityRequest], *, as_of: datetime
) -> list[tuple[Any, ...]]:
    """A row for each request with a known key, from one statement; its first column is the position, from 1."""
    return await reader.fetch(
        FIND_USABILITY,
        {
            "organization_ids": Uuids([request.key.name.organization_id for request in requests]),
            "key_ids": Uuids([request.key.name.id for request in requests]),
            "code_keys": Texts([request.code and key_of(request.code) for request in requests]),
            "bundle_ids": Uuids([request.product_bundle_id for request in requests]),
            "digests": Binaries([request.key.digest for request in requests]),
            "addresses": Texts([request.key.address for request in requests]),
            "as_of": as_of,
        },
    )
