"""Statements that erase a person, built from the declarations of the tables."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from tessera.audit.rules import ERASED
from tessera.kit.db.advisory_locks import lock
from tessera.kit.db.unit_of_work import UnitOfWork, driver_of, execute_text
from tessera.kit.personal_data import Content
from tessera.persons.erasures import rules
from tessera.persons.erasures.columns import Group, SearchedTable
from tessera.persons.erasures.rules import Eraser, Values
from tessera.persons.rules import Identity

Row = dict[str, Any]
_TEXTS = {Content.RECORD: "{}::text", Content.METADATA: "{}::text", Content.BODY: "convert_from({}, 'UTF8')"}
# A person may have thousands of records with metadata, and a pattern for each would take hours.
_HAS_RECORD = """(
    {0} like any (array['%%"metadata":{{"%%', '%%"metadata": {{"%%']) and exists (
        select from unnest(string_to_array(replace({0}, '": "', '":"'), '"id":"')) part
        where left(part, 36) = any (%(records)s::text[])))
"""
_JSON, _KINDS = (Content.RECORD, Content.BODY), {"redemptions": "Redemption", "vouchers": "Voucher"}
# The rows in memory at once. Each may have notes of 20,000 characters, and a stored response may have megabytes.
_ROWS_AT_ONCE, _BODIES_AT_ONCE = 200, 5


class ErasureRepository:
    """The persons of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def _fetch(self, text: str, **values: Any) -> list[Row]:  # noqa: ANN401 - the parameters of any statement
        cursor = await execute_text(self._connection, text, {"organization_id": self._organization_id, **values})
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()] if names else []

    async def lock(self) -> None:
        """Wait until no other transaction erases a person of the organization."""
        await lock(self._connection, f"erasure/{self._organization_id}")

    async def list_held_reservations(self, identity: Identity, *, size: int) -> list[str]:
        """Up to `size` codes of reservations that hold a voucher for a person."""
        rows = await self._fetch(
            "select s.code from reservations s where s.organization_id = %(organization_id)s and s.id = any (array("
            " select r.reservation_id from redemptions r where r.organization_id = %(organization_id)s"
            " and r.person_id = any (%(person_ids)s::text[]) and r.status = 'Held' and r.voucher_id is not null))"
            " limit %(size)s",
            person_ids=list(identity.person_ids),
            size=size,
        )
        return [row["code"] for row in rows]

    async def list_spellings(self, group: Group, identity: Identity, *, size: int) -> list[Row]:
        """Up to `size` different contents of a group of columns in the rows of a person."""
        return await self._fetch(
            f"select distinct {', '.join(group.contents)} from {group.table}"  # noqa: S608 - names from the code
            f" where {_condition(group)} limit %(size)s",
            matches=_matches(group, identity),
            size=size,
        )

    async def list_ids(self, group: Group, identity: Identity) -> list[str]:
        """The ids of the records of a person that have metadata."""
        rows = await self._fetch(
            f"select id::text as id from {group.table} where {_condition(group)} and metadata is not null",  # noqa: S608
            matches=_matches(group, identity),
        )
        return [row["id"] for row in rows]

    async def find_digested(self, group: Group, key: bytes, digests: Sequence[bytes]) -> list[str]:
        """The ids or keys of addresses in a group of columns that have these digests."""
        rows = await self._fetch(
            f"select distinct {group.match} as match from {group.table} where organization_id = %(organization_id)s"  # noqa: S608
            f" and sha256(%(key)s::bytea || convert_to({group.match}, 'UTF8')) = any (%(digests)s::bytea[])",
            key=key,
            digests=list(digests),
        )
        return [row["match"] for row in rows]

    async def list_users(self, identity: Identity) -> dict[UUID, bool]:
        """The users with an address of the person, and whether they are active."""
        rows = await self._fetch(
            "select id, is_active from users where organization_id = %(organization_id)s"
            " and email_key = any (%(email_keys)s::text[])",
            email_keys=list(identity.email_keys),
        )
        return {row["id"]: row["is_active"] for row in rows}

    async def count_kept(self, identity: Identity, *, now: datetime) -> dict[str, int]:
        """The numbers of live holds, live redemptions, and unused vouchers of a recipient."""
        (row,) = await self._fetch(
            "select count(*) filter (where status = 'Held' and held_until > %(now)s) as live_holds,"
            " count(*) filter (where status = 'Redeemed') as live_redemptions, ("
            "  select count(*) from vouchers where organization_id = %(organization_id)s"
            "  and recipient_email_key = any (%(email_keys)s::text[]) and used_at is null and not is_archived"
            " ) as unused_vouchers from redemptions where organization_id = %(organization_id)s"
            " and person_id = any (%(person_ids)s::text[])",
            now=now,
            person_ids=list(identity.person_ids),
            email_keys=list(identity.email_keys),
        )
        return row

    async def get_key(self) -> bytes:
        """The secret of the organization's digests, which the first erasure makes."""
        await self.add_key(secrets.token_bytes(32))
        key = await self.find_key()
        assert key is not None, "a key was added"  # noqa: S101 - for the type checker
        return key

    async def find_key(self) -> bytes | None:
        """The secret of the organization's digests; None before the first erasure."""
        rows = await self._fetch("select key from erasure_keys where organization_id = %(organization_id)s")
        return bytes(rows[0]["key"]) if rows else None

    async def add_key(self, key: bytes) -> bool:
        """Store the secret of the organization's digests unless it has one; returns whether it has this one now."""
        await self._fetch(
            "insert into erasure_keys (organization_id, key) values (%(organization_id)s, %(key)s)"
            " on conflict do nothing",
            key=key,
        )
        return await self.find_key() == key

    async def list_erasures(self) -> dict[bytes, datetime]:
        """The digests of erased persons, with the times of the erasures."""
        rows = await self._fetch(
            "select digest, erased_at from erasures where organization_id = %(organization_id)s order by digest"
        )
        return {bytes(row["digest"]): row["erased_at"] for row in rows}

    async def add_erasures(self, erasures: Mapping[bytes, datetime]) -> None:
        """Store the digests of erased persons with the times of their latest erasures."""
        await self._fetch(
            "insert into erasures (organization_id, digest, erased_at) select %(organization_id)s, digest, at"
            " from unnest(%(digests)s::bytea[], %(times)s::timestamptz[]) as erased (digest, at)"
            " on conflict (organization_id, digest) do update"
            " set erased_at = greatest(erasures.erased_at, excluded.erased_at) returning digest",
            digests=list(erasures),
            times=list(erasures.values()),
        )

    async def erase_rows(self, group: Group, identity: Identity, key: bytes) -> list[Row]:
        """Replace the contents of a group of columns in the rows of a person; returns the keys of the rows."""
        if not (matches := _matches(group, identity)):
            return []
        if group.table == "promo_code_email_addresses":
            await self._raise_versions_of_codes(matches)
        # In the order of keys, so that concurrent transactions cannot deadlock on these rows.
        await self._fetch(
            f"select from {group.table} where {_condition(group)} order by {', '.join(group.key)} for update",
            matches=matches,
        )
        tombstones = {
            each: rules.tombstone_of_id(key, each) if group.is_by_id else rules.new_address() for each in matches
        }
        rows = await self._fetch(
            f"update {group.table} set {', '.join(_assignments(group))} where {_condition(group)}"  # noqa: S608
            f" returning {', '.join(group.key)}",
            matches=matches,
            tombstones=orjson.dumps(tombstones).decode(),
            address=rules.new_address(),
            erased=ERASED,
        )
        if group.has_metadata:
            await self._erase_metadata(_KINDS[group.table], [row["id"] for row in rows])
        return rows

    async def _erase_metadata(self, kind: str, ids: Sequence[UUID]) -> None:
        condition = "organization_id = %(organization_id)s and kind = %(kind)s and record_id = any (%(ids)s::uuid[])"
        values = {"kind": kind, "ids": list(ids), "erased": ERASED}
        await self._fetch(f"select from record_metadata where {condition} order by record_id, key for update", **values)
        update = f"update record_metadata set value = %(erased)s where {condition}"  # noqa: S608 - likewise
        await self._fetch(update, **values)

    async def _raise_versions_of_codes(self, email_keys: Sequence[str]) -> None:
        """Raise the versions of codes with these addresses; otherwise an edit of an earlier version restores them.

        The codes are locked before their addresses, as edits do.
        """
        rows = await self._fetch(
            "select id from promo_codes where organization_id = %(organization_id)s and id = any (array("
            " select promo_code_id from promo_code_email_addresses where organization_id = %(organization_id)s"
            " and email_key = any (%(email_keys)s::text[]))) order by id for update",
            email_keys=list(email_keys),
        )
        await self._fetch(
            "update promo_codes set version = version + 1 where organization_id = %(organization_id)s"
            " and id = any (%(ids)s::uuid[])",
            ids=[row["id"] for row in rows],
        )

    async def erase_mentions(self, table: SearchedTable, eraser: Eraser) -> list[Row]:
        """Replace what names the person in the texts of a table; returns the keys of the rows that did."""
        driver = await driver_of(self._connection)
        keys: list[Row] = []
        size = _BODIES_AT_ONCE if Content.BODY in table.contents.values() else _ROWS_AT_ONCE
        async with driver.cursor("mentions") as mentions:
            texts = {"patterns": rules.patterns(eraser.values), "records": list(eraser.values.records)}
            query = _mentions(table, eraser.values)
            await mentions.execute(query.encode(), {"organization_id": self._organization_id, **texts})
            names = [column.name for column in mentions.description or ()]
            while some := await mentions.fetchmany(size):
                rows = [dict(zip(names, row, strict=True)) for row in some]
                changed = await asyncio.to_thread(_changed, table, eraser, rows)
                await self._write_texts(table, changed)
                keys += [{name: row[name] for name in table.key} for row in changed]
        return keys

    async def _write_texts(self, table: SearchedTable, rows: Sequence[Row]) -> None:
        assignments = [f"{name} = {_WRITTEN[content].format(name)}" for name, content in table.contents.items()]
        assignments += ["version = version + 1"] if table.has_version else []
        keys = " and ".join(f"{name} = %({name})s" for name in table.key)
        statement = (
            f"update {table.table} set {', '.join(assignments)}"  # noqa: S608 - names from the code
            f" where organization_id = %(organization_id)s and {keys}"
        )
        driver = await driver_of(self._connection)
        await driver.cursor().executemany(
            statement.encode(), [{"organization_id": self._organization_id, **row} for row in rows]
        )


def _mentions(table: SearchedTable, values: Values) -> str:
    """The query for the rows whose texts may name the person, which it locks: their keys and texts."""
    texts = {name: _TEXTS.get(content, "{}").format(name) for name, content in table.contents.items()}
    matches = [f'lower({text} collate "C") like any (%(patterns)s::text[])' for text in texts.values()]
    if values.records:
        matches += [_HAS_RECORD.format(texts[name]) for name, content in table.contents.items() if content in _JSON]
    selected = [*table.key, *(f"{text} as {name}" for name, text in texts.items() if name not in table.key)]
    return (
        f"select {', '.join(selected)} from {table.table} where organization_id = %(organization_id)s"  # noqa: S608
        f" and {table.condition} and ({' or '.join(matches)}) order by {', '.join(table.key)} for update"
    )


def _changed(table: SearchedTable, eraser: Eraser, rows: Sequence[Row]) -> list[Row]:
    return [row | new for row in rows if (new := erased_texts(table, eraser, row))]


_WRITTEN = dict.fromkeys(Content, "%({})s") | dict.fromkeys((Content.RECORD, Content.METADATA), "%({})s::jsonb")
_WRITTEN[Content.BODY] = "convert_to(%({})s, 'UTF8')"


def erased_texts(table: SearchedTable, eraser: Eraser, row: Row) -> Row:
    """The texts of a row after the erasure, by column; only those that change."""
    new = {
        name: _erased(eraser, content, row[name]) for name, content in table.contents.items() if row[name] is not None
    }
    return {name: text for name, text in new.items() if text is not None}


def _erased(eraser: Eraser, content: Content, text: str) -> str | None:
    """The text without what names the person; None if it stays as it is."""
    if content is Content.TEXT:
        after: Any = eraser.text(text)
        return None if after == text else str(after)
    before = orjson.loads(text)
    after = eraser.texts(before) if content is Content.METADATA else eraser.json(before)
    return None if after == before else orjson.dumps(after).decode()


def _condition(group: Group) -> str:
    return f"organization_id = %(organization_id)s and {group.match} = any (%(matches)s::text[])"


def _matches(group: Group, identity: Identity) -> list[str]:
    return list(identity.person_ids if group.is_by_id else identity.email_keys)


def _assignments(group: Group) -> list[str]:
    tombstone = f"%(tombstones)s::jsonb ->> {group.match}"  # the subscript of an array stops a Citus coordinator
    assignments = []
    for name, content in group.contents.items():
        if name in group.generated:
            continue
        if name == group.match or (content is Content.EMAIL and not group.is_by_id):
            assignments.append(f"{name} = {tombstone}")
        else:
            value = "address" if content is Content.EMAIL else "erased"
            assignments.append(f"{name} = case when {name} is not null then %({value})s end")
    if group.has_metadata:
        assignments.append(
            "metadata = (select jsonb_object_agg(name, %(erased)s::text) from jsonb_object_keys(metadata) as name)"
        )
    if group.table == "users":
        assignments.append("is_active = false")
    return assignments + (["version = version + 1"] if group.has_version else [])
