"""Statements on reservations of one tenant."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, any_, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.kit.db.bulk_insert import insert_rows, row_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.redemptions.tables import Reservation
from tessera.vouchers.rules import ReservationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReservation:
    """A reservation; `rescheduled_from` is its previous code, if any."""

    id: UUID
    code: str
    status: ReservationStatus
    rescheduled_from: str | None
    created_at: datetime
    updated_at: datetime


class ReservationRepository:
    """The reservations of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def lock(self, codes: Iterable[str]) -> None:
        """Lock the reservations with these codes, which need not exist, in an order that excludes deadlocks.

        An advisory lock, unlike a row, leaves nothing behind if no reservation is added.
        """
        numbers = sorted({self._lock_number(code) for code in codes})
        await self._connection.exec_driver_sql(
            "select pg_advisory_xact_lock(n) from unnest(%s::bigint[]) as n", (numbers,)
        )

    async def lock_one(self, code: str, *, instead: bool = False) -> None:
        """Lock one reservation before any write, or `instead` of the one locked by the call before."""
        # A transaction that kept the other lock could deadlock with one that takes both in order.
        place = "rollback to savepoint reservation" if instead else "savepoint reservation"
        await self._connection.exec_driver_sql(f"{place}; select pg_advisory_xact_lock({self._lock_number(code)})")

    def _lock_number(self, code: str) -> int:
        name = f"reservation/{self._organization_id}/{code}".encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)

    async def find_all(self, codes: Collection[str]) -> dict[str, FoundReservation]:
        """The reservations with these codes."""
        columns = [getattr(Reservation, field.name) for field in fields(FoundReservation)]
        statement = select(*columns).where(
            Reservation.organization_id == self._organization_id,
            Reservation.code == any_(literal(list(codes), ARRAY(Text))),
        )
        rows = (await self._connection.execute(statement)).mappings()
        return {row["code"]: FoundReservation(**{**row, "status": ReservationStatus(row["status"])}) for row in rows}

    async def add(self, reservations: Sequence[FoundReservation]) -> None:
        """Add reservations whose codes are locked."""
        rows = [{"organization_id": self._organization_id, **row_of(each)} for each in reservations]
        await insert_rows(self._connection, Reservation, rows)

    async def change(self, reservation: FoundReservation) -> None:
        """Write the state of a locked reservation."""
        values = row_of(reservation)
        await self._connection.execute(
            update(Reservation)
            .where(Reservation.organization_id == self._organization_id, Reservation.id == values.pop("id"))
            .values(values)
        )
