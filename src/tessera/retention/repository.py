"""Statements that keep the settings of organizations, and remove what is older."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Table, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.tables import RetentionSettings
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.personal_data import personal_columns
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.kit.personal_data import ANONYMISED, Content, Subject
from tessera.metadata import metadata
from tessera.retention.rules import FIELDS, Retention

_LIST = f"select organization_id, {', '.join(FIELDS)} from list_retention_settings()"  # noqa: S608 - our own names


def _anonymised(table: str) -> str:
    """The assignments that replace the data about candidates in a row, according to the declarations of the table."""
    return ", ".join(_assignments(metadata.tables[table]))


def _assignments(table: Table) -> Iterator[str]:
    for name, data in personal_columns(table).items():
        column: Column[object] = table.columns[name]
        if column.computed is not None or (data.subject is not Subject.CANDIDATE and name != "metadata"):
            continue
        if data.content in (Content.EMAIL, Content.METADATA):
            yield f"{name} = null"
        elif column.nullable:
            yield f"{name} = case when {name} is not null then '{ANONYMISED}' end"
        else:
            yield f"{name} = '{ANONYMISED}'"


# The code of a reservation is unique. Vouchers come first, as in the transactions of storefronts. The recipient of a
# used voucher is the candidate; an unused one may still be used.
END_RESERVATIONS = TextQuery(f"""
with ended as materialized (
    select id, code from reservations
    where organization_id = %(organization_id)s and status in ('Completed', 'NoShow', 'Cancelled')
      and anonymised_at is null and updated_at < %(before)s
    order by updated_at, id limit %(size)s for update skip locked
), changed_vouchers as (
    update vouchers set {_anonymised("vouchers").replace("metadata = null", "metadata = metadata")},
        recipient_email = case when used_at is null then recipient_email end,
        assigned_at = case when used_at is null then assigned_at end, version = version + 1
    where organization_id = %(organization_id)s and reservation_code = any (array(select code from ended))
    returning id
), changed_redemptions as (
    update redemptions set {_anonymised("redemptions")}
    where organization_id = %(organization_id)s and reservation_id = any (array(select id from ended))
      and (person_id, first_name, last_name) <> ('{ANONYMISED}', '{ANONYMISED}', '{ANONYMISED}')
    returning id
), removed_texts as (
    delete from record_metadata
    where organization_id = %(organization_id)s and kind = 'Redemption'
      and record_id = any (array(select id from changed_redemptions))
    returning 1
)
update reservations set code = '{ANONYMISED} ' || id, rescheduled_from = null, anonymised_at = %(now)s
where organization_id = %(organization_id)s and id = any (array(select id from ended))
returning id
""")  # noqa: S608 - our own names
# Holds that ended without a use, whose reservations may never end.
END_REDEMPTIONS = TextQuery(f"""
with closed as materialized (
    select id from redemptions
    where organization_id = %(organization_id)s and status in ('Released', 'Expired', 'Cancelled')
      and person_id <> '{ANONYMISED}' and updated_at < %(before)s
    order by updated_at, id limit %(size)s for update skip locked
), removed_texts as (
    delete from record_metadata
    where organization_id = %(organization_id)s and kind = 'Redemption'
      and record_id = any (array(select id from closed))
    returning 1
)
update redemptions set {_anonymised("redemptions")}
where organization_id = %(organization_id)s and id = any (array(select id from closed))
returning id
""")  # noqa: S608 - our own names
END_TOKENS = TextQuery("""
delete from issued_tokens where organization_id = %(organization_id)s and id = any (array(
    select id from issued_tokens
    where organization_id = %(organization_id)s and least(expires_at, revoked_at) < %(before)s
    order by id limit %(size)s for update skip locked
))
returning id
""")
# The last event of a job is its end. An operator can run old jobs again, so those that ended later may come first.
END_JOBS = TextQuery("""
with oldest as materialized (
    select id from procrastinate_jobs
    where args ->> 'organization_id' = %(organization_id)s::uuid::text
      and status in ('failed', 'cancelled', 'aborted')
    order by id limit 1000
), ended as materialized (
    select id from procrastinate_jobs
    where id = any (array(select id from oldest)) and status in ('failed', 'cancelled', 'aborted')
      and (select max(at) from procrastinate_events where job_id = procrastinate_jobs.id) < %(before)s
    order by id limit %(size)s for update skip locked
)
delete from procrastinate_jobs where id = any (array(select id from ended))
returning id
""")


async def list_all(work: UnitOfWork) -> dict[UUID, Retention]:
    """The settings of all organizations that have any; none unless the platform itself is pinned."""
    rows = await execute_text(work.connection, _LIST, {})
    return {row[0]: Retention(**dict(zip(FIELDS, row[1:], strict=True))) for row in await rows.fetchall()}


class RetentionRepository:
    """The data of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work

    async def find(self) -> Retention:
        """The settings."""
        columns = [getattr(RetentionSettings, name) for name in FIELDS]
        statement = select(*columns).where(RetentionSettings.organization_id == self._work.organization_id)
        row = (await self._work.connection.execute(statement)).first()
        return Retention(**row._mapping) if row else Retention()

    async def put(self, retention: Retention) -> None:
        """Replace the settings."""
        values = asdict(retention)
        statement = upsert(RetentionSettings).values(organization_id=self._work.organization_id, **values)
        statement = statement.on_conflict_do_update(constraint="retention_settings_pk", set_=values)
        await self._work.connection.execute(statement)

    async def remove(self, statement: TextQuery, *, before: datetime, size: int, now: datetime) -> int:
        """Remove up to `size` records that are older than `before`; returns their number."""
        values = {"organization_id": self._work.organization_id, "before": before, "size": size, "now": now}
        cursor = await statement.send(await self._work.driver_connection(), values)
        return len(await cursor.fetchall())

    async def drop_redemptions(self, *, size: int, now: datetime) -> int:
        """Drop up to `size` closed redemptions, with their ledger and reservations; returns the number of both."""
        dropped = await self._work.connection.execute(select(func.drop_redemptions(now, size)))
        return int(dropped.scalar_one())
