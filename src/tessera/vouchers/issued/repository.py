"""Statements that add and remove vouchers of one tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.kit import editing
from tessera.kit.db.arrays import Texts
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id_text
from tessera.kit.normalization import key_of
from tessera.record_metadata.repository import MetadataRepository
from tessera.record_metadata.rules import Kind
from tessera.vouchers.rules import ReservationStatus
from tessera.vouchers.tables import Voucher, VoucherCodeSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVoucher:
    """A voucher to add, in any state."""

    id: UUID
    purchase_id: UUID
    partner_id: UUID
    code: str
    expires_at: datetime
    is_active: bool = True
    assigned_at: datetime | None = None
    recipient_email: str | None = None
    reservation_code: str | None = None
    reservation_status: ReservationStatus | None = None
    store_exam_id: UUID | None = None
    used_at: datetime | None = None
    used_by_person_id: str | None = None
    used_by_client_candidate_id: str | None = None
    used_by_first_name: str | None = None
    used_by_last_name: str | None = None
    is_archived: bool = False
    metadata: Mapping[str, str] | None = None


# The fastest insert that row-level security allows, since it rejects COPY. Ids and codes are two text parameters
# because the driver takes several times as long to encode arrays.
ADD_BATCH = """
insert into vouchers (
    organization_id, purchase_id, partner_id, is_active, is_archived, version, expires_at, id, code
)
select %(organization_id)s, %(purchase_id)s, %(partner_id)s, true, false, 1, %(expires_at)s, batch.id, batch.code
from unnest(string_to_array(%(ids)s, ',')::uuid[], string_to_array(%(codes)s, ','), string_to_array(%(names)s, ','))
     as batch (id, code, name_key)
where not exists (
    select from promo_codes p where p.organization_id = %(organization_id)s and p.name_key = batch.name_key
)
on conflict (organization_id, code) do nothing
returning 1
"""


_NEW_COLUMNS = ", ".join(["organization_id", *NewVoucher.__dataclass_fields__, "version"])
# The taken names are found first, by their index: row-level security lets no function of a new code use it.
ADD_UNTAKEN = f"""
insert into vouchers ({_NEW_COLUMNS})
select {_NEW_COLUMNS} from json_populate_recordset(null::vouchers, %(vouchers)s::json) as new
where lower(new.code collate "C") collate "default" not in (
    select name_key from promo_codes
    where organization_id = %(organization_id)s and name_key = any (%(name_keys)s::text[])
)
on conflict (organization_id, code) do nothing
returning id
"""  # noqa: S608 - names of columns


class VoucherRepository:
    """The vouchers visible to the unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._metadata = MetadataRepository(work, Kind.VOUCHER)

    async def count_code_space(self, prefix: str) -> int:
        """The number of issued codes with this prefix."""
        statement = select(VoucherCodeSpace.issued).where(
            VoucherCodeSpace.organization_id == self._organization_id, VoucherCodeSpace.prefix == prefix
        )
        return (await self._connection.execute(statement)).scalar_one_or_none() or 0

    async def claim_code_space(self, prefix: str, quantity: int) -> int:
        """Add `quantity` to the issued codes of this prefix and return the sum; locks the prefix."""
        insertion = upsert(VoucherCodeSpace).values(
            organization_id=self._organization_id, prefix=prefix, issued=quantity
        )
        statement = insertion.on_conflict_do_update(
            constraint="voucher_code_spaces_pk", set_={"issued": VoucherCodeSpace.issued + quantity}
        ).returning(VoucherCodeSpace.issued)
        return (await self._connection.execute(statement)).scalar_one()

    async def add_batch(
        self, codes: Sequence[str], *, purchase_id: UUID, partner_id: UUID, expires_at: datetime
    ) -> int:
        """Add a voucher for each unused code; returns the number of added vouchers."""
        result = await self._connection.exec_driver_sql(
            ADD_BATCH,
            {
                "organization_id": self._organization_id,
                "purchase_id": purchase_id,
                "partner_id": partner_id,
                "expires_at": expires_at,
                "ids": ",".join(new_id_text() for _ in codes),
                "codes": ",".join(codes),
                # A function of a column could not use the index of promo codes.
                "names": ",".join(codes).lower(),
            },
        )
        return len(result.all())

    async def remove_batch(self, purchase_id: UUID) -> None:
        """Remove the vouchers of a purchase that is not committed yet."""
        await self._connection.execute(
            delete(Voucher).where(Voucher.organization_id == self._organization_id, Voucher.purchase_id == purchase_id)
        )

    async def add_untaken(self, vouchers: Sequence[NewVoucher]) -> frozenset[UUID]:
        """Add the vouchers whose code is neither another voucher's nor the name of a promo code; returns their ids."""
        common = {"organization_id": self._organization_id, "version": editing.FIRST}
        content = orjson.dumps([common | row_of(voucher) for voucher in vouchers]).decode()
        name_keys = Texts([key_of(voucher.code) for voucher in vouchers])
        parameters = {"organization_id": self._organization_id, "vouchers": content, "name_keys": name_keys}
        rows = await self._connection.exec_driver_sql(ADD_UNTAKEN, parameters)
        added_ids = frozenset(row.id for row in rows)
        await self._metadata.index_new({each.id: each.metadata for each in vouchers if each.id in added_ids})
        return added_ids

    async def add_all(self, vouchers: Sequence[NewVoucher]) -> None:
        """Add vouchers in any state; a taken code raises the driver's error."""
        rows = [{"organization_id": self._organization_id, **asdict(voucher)} for voucher in vouchers]
        await self._connection.execute(insert(Voucher), rows)
        await self._metadata.index_new({each.id: each.metadata for each in vouchers})
