"""Statements on reservations of one tenant."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, any_, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.kit.db.advisory_locks import lock_number
from tessera.kit.db.bulk_insert import insert_ignoring_conflicts, row_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.redemptions.tables import Reservation as ReservationTable
from tessera.vouchers.rules import ReservationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A reservation; `rescheduled_from` is its previous code, if any."""

    id: UUID
    code: str
    status: ReservationStatus
    rescheduled_from: str | None
    created_at: datetime
    updated_at: datetime


def lock_number_of(organization_id: UUID, code: str) -> int:
    """The number of the advisory lock of a reservation."""
    return lock_number(f"reservation/{organization_id}/{code}")


class ReservationRepository:
    """The reservations of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def lock(self, codes: Iterable[str]) -> None:
        """Lock the reservations with these codes, which need not exist, in an order that excludes deadlocks.

        The locks are advisory, because a reservation that does not exist yet has no row to lock.
        """
        numbers = sorted({self._lock_number(code) for code in codes})
        await self._connection.exec_driver_sql(
            "select pg_advisory_xact_lock(n) from unnest(%s::bigint[]) as n", (numbers,)
        )

    async def lock_one(self, code: str, *, replace_lock: bool = False) -> None:
        """Lock one reservation before any write; `replace_lock` releases the lock of the previous call first."""
        # A transaction that kept the previous lock could deadlock with one that takes both locks in order.
        command = "rollback to savepoint reservation" if replace_lock else "savepoint reservation"
        await self._connection.exec_driver_sql(f"{command}; select pg_advisory_xact_lock({self._lock_number(code)})")

    def _lock_number(self, code: str) -> int:
        return lock_number_of(self._organization_id, code)

    async def find_all(self, codes: Collection[str]) -> dict[str, Reservation]:
        """The reservations with these codes, by code."""
        columns = [getattr(ReservationTable, field.name) for field in fields(Reservation)]
        statement = select(*columns).where(
            ReservationTable.organization_id == self._organization_id,
            ReservationTable.code == any_(literal(list(codes), ARRAY(Text))),
        )
        rows = (await self._connection.execute(statement)).mappings()
        return {row["code"]: Reservation(**{**row, "status": ReservationStatus(row["status"])}) for row in rows}

    async def add(self, reservations: Sequence[Reservation]) -> frozenset[UUID]:
        """Add the reservations whose codes are unused; returns their ids."""
        rows = [{"organization_id": self._organization_id, **row_of(each)} for each in reservations]
        unique_code = "reservations_organization_id_code_key"
        return await insert_ignoring_conflicts(self._connection, ReservationTable, rows, constraint=unique_code)

    async def change(self, reservation: Reservation) -> None:
        """Write the state of a locked reservation."""
        values = row_of(reservation)
        await self._connection.execute(
            update(ReservationTable)
            .where(ReservationTable.organization_id == self._organization_id, ReservationTable.id == values.pop("id"))
            .values(values)
        )
