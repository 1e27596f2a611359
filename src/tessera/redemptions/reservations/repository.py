"""Statements on reservations of one tenant."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, any_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.kit.db.advisory_locks import lock_number
from tessera.kit.db.arrays import Texts
from tessera.kit.db.bulk_insert import insertion_ignoring_conflicts, row_of
from tessera.kit.db.compiled_queries import CompiledQuery, Step, TextQuery, parameter, run
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import TransactionAborted
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


_LOCK = TextQuery("select pg_advisory_xact_lock(n) from unnest(%(numbers)s::bigint[]) as n")
_FIND = CompiledQuery(
    select(*(getattr(ReservationTable, field.name) for field in fields(Reservation))).where(
        ReservationTable.organization_id == parameter("organization_id"),
        ReservationTable.code == any_(parameter("codes", ARRAY(Text))),
    )
)


def lock_number_of(organization_id: UUID, code: str) -> int:
    """The number of the advisory lock of a reservation."""
    return lock_number(f"reservation/{organization_id}/{code}")


class ReservationRepository:
    """The reservations of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    def locking(self, codes: Iterable[str]) -> Step[None]:
        """The step that locks the reservations with these codes, which need not exist; its order excludes deadlocks.

        The locks are advisory, because a reservation that does not exist yet has no row to lock.
        """
        return Step(_LOCK, {"numbers": sorted({self._lock_number(code) for code in codes})}, lambda _: None)

    async def lock_one(self, code: str, *, replace_lock: bool = False) -> None:
        """Lock one reservation before any write; `replace_lock` releases the lock of the previous call first."""
        # A transaction that kept the previous lock could deadlock with one that takes both locks in order.
        command = "rollback to savepoint reservation" if replace_lock else "savepoint reservation"
        await self._connection.exec_driver_sql(f"{command}; select pg_advisory_xact_lock({self._lock_number(code)})")

    def _lock_number(self, code: str) -> int:
        return lock_number_of(self._organization_id, code)

    async def find_all(self, codes: Collection[str]) -> dict[str, Reservation]:
        """The reservations with these codes, by code."""
        return await run(self._connection, self.finding(codes))

    def finding(self, codes: Iterable[str]) -> Step[dict[str, Reservation]]:
        """The step that finds the reservations with these codes, by code."""
        values = {"organization_id": self._organization_id, "codes": Texts([*codes])}
        return Step(_FIND, values, lambda rows: {row.code: _reservation(row) for row in rows})

    async def add(self, reservations: Sequence[Reservation]) -> frozenset[UUID]:
        """Add the reservations whose codes are unused; returns their ids."""
        return await run(self._connection, self.addition(reservations))

    def addition(self, reservations: Sequence[Reservation]) -> Step[frozenset[UUID]]:
        """The step that adds the reservations whose codes are unused; its result are their ids."""
        rows = [{"organization_id": self._organization_id, **row_of(each)} for each in reservations]
        unique_code = "reservations_organization_id_code_key"
        return insertion_ignoring_conflicts(ReservationTable, rows, constraint=unique_code)

    async def change(self, reservation: Reservation) -> None:
        """Write the state of a locked reservation; raises TransactionAborted if retention has just dropped it."""
        values = row_of(reservation)
        changed = await self._connection.execute(
            update(ReservationTable)
            .where(ReservationTable.organization_id == self._organization_id, ReservationTable.id == values.pop("id"))
            .values(values)
            .returning(ReservationTable.id)
        )
        if changed.first() is None:
            raise TransactionAborted


def _reservation(row: AnyRow) -> Reservation:
    return Reservation(**{**row._asdict(), "status": ReservationStatus(row.status)})
