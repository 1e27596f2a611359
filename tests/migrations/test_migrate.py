"""Migrations: of an empty database, down and up again, concurrent, behind a lock, and without a superuser."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import errors, sql
from sqlalchemy import NullPool, create_engine, make_url
from structlog.testing import capture_logs

from tessera import schema
from tessera.kit.db import schema_version
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id
from tessera.kit.jobs import create_jobs
from tessera.provision import Addresses

SNAPSHOT = {
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attidentity,
               pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped""",
    "relations": """
        select relname, relkind, relowner::regrole::text, relrowsecurity, relforcerowsecurity,
               array(select unnest(relacl)::text order by 1)
        from pg_class where relnamespace = 'public'::regnamespace""",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace""",
    "indexes": "select indexname, indexdef from pg_indexes where schemaname = 'public'",
    "policies": """
        select tablename, policyname, permissive, roles::text, cmd, qual, with_check from pg_policies""",
    "functions": """
        select oid::regprocedure::text, pg_get_functiondef(oid), proowner::regrole::text,
               array(select unnest(proacl)::text order by 1)
        from pg_proc where pronamespace = 'public'::regnamespace""",
    "types": """
        select typname, typtype, array(select enumlabel from pg_enum where enumtypid = t.oid order by enumsortorder)
        from pg_type t where typnamespace = 'public'::regnamespace""",
    "triggers": "select tgname, tgrelid::regclass::text from pg_trigger where not tgisinternal",
}


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def snapshot(url: str) -> dict[str, list[str]]:
    with psycopg.connect(plain(url)) as connection:
        return {
            kind: sorted(repr(row) for row in connection.execute(query).fetchall()) for kind, query in SNAPSHOT.items()
        }


def login(url: str, user: str, password: str | None = None) -> str:
    return make_url(url).set(username=user, password=password).render_as_string(hide_password=False)


@pytest.fixture
def admin(cluster: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(plain(cluster), autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty(admin: psycopg.Connection[Any], cluster: str) -> Iterator[str]:
    """The superuser's URL of an empty database."""
    name = f"tessera_empty_{uuid4().hex}"
    admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    yield make_url(cluster).set(database=name).render_as_string(hide_password=False)
    admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def go_to(url: str, revision: str, move: Callable[[Config, str], None] = command.downgrade) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("set role tessera_owner")
        connection.commit()
        configuration = Config(schema.CONFIGURATION)
        configuration.attributes["connection"] = connection
        move(configuration, revision)
        connection.commit()


def test_there_is_one_line_of_revisions() -> None:
    scripts = ScriptDirectory.from_config(Config(schema.CONFIGURATION))
    revisions = list(scripts.walk_revisions())
    assert scripts.get_heads() == [schema.latest_revision()]
    assert scripts.get_bases() == ["0001"]
    assert [revision for revision in revisions if revision.is_merge_point or revision.is_branch_point] == []
    assert len(revisions) == len(list(Path(scripts.versions).glob("*.py")))


def test_an_empty_database_gets_the_latest_revision_and_a_second_time_changes_nothing(empty: str) -> None:
    assert schema.migrate(empty, login(empty, "tessera_app")) == schema.latest_revision()
    before = snapshot(empty)
    assert schema.migrate(empty, login(empty, "tessera_app")) == schema.latest_revision()
    assert snapshot(empty) == before
    assert len(before["columns"]) > 100


def test_down_to_nothing_and_up_again_is_the_same(empty: str) -> None:
    untouched = snapshot(empty)
    schema.migrate(empty, login(empty, "tessera_app"))
    migrated = snapshot(empty)
    go_to(empty, "base")
    remaining = snapshot(empty)
    # Alembic's own table stays, without rows.
    ours = {kind: [row for row in rows if "alembic_version" not in row] for kind, rows in remaining.items()}
    assert ours == untouched
    schema.migrate(empty, login(empty, "tessera_app"))
    assert snapshot(empty) == migrated


def test_every_step_down_and_up_again_is_the_same(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    scripts = ScriptDirectory.from_config(Config(schema.CONFIGURATION))
    for revision in scripts.walk_revisions():
        migrated, below = snapshot(empty), str(revision.down_revision or "base")
        go_to(empty, below)
        go_to(empty, revision.revision, command.upgrade)
        assert snapshot(empty) == migrated, revision.revision
        go_to(empty, below)


def test_several_processes_migrate_at_once(empty: str) -> None:
    arguments = (empty, login(empty, "tessera_app"))
    with multiprocessing.get_context("forkserver").Pool(3) as pool:
        assert pool.starmap(schema.migrate, [arguments] * 3, chunksize=1) == [schema.latest_revision()] * 3


def test_a_migration_says_that_it_waits_for_a_backup(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(plain(empty)) as backup, capture_logs() as lines:
        backup.execute("select pg_advisory_xact_lock_shared(%s)", [schema.MIGRATION_LOCK])
        monkeypatch.setattr(schema, "time", SimpleNamespace(sleep=lambda _: backup.rollback()))
        with schema.with_roles(empty, login(empty, "tessera_app")):
            pass
    assert [line["event"] for line in lines] == ["waiting for the end of a backup, or of another migration"]


def test_a_migration_that_cannot_get_a_lock_gives_up_and_can_be_tried_again(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    go_to(empty, "0002")
    with psycopg.connect(plain(empty)) as other:
        other.execute("lock table users in access exclusive mode")
        with pytest.raises(schema.CannotMigrate, match="lock timeout"):
            schema.migrate(empty, login(empty, "tessera_app"), lock_pauses=[0])
    # The failed migration holds no lock.
    assert schema.migrate(empty, login(empty, "tessera_app")) == schema.latest_revision()


def test_a_migration_that_cannot_get_a_lock_at_first_is_tried_again(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    go_to(empty, "0002")
    with psycopg.connect(plain(empty)) as other:
        other.execute("lock table users in access exclusive mode")

        def pauses() -> Iterator[float]:
            yield 0
            assert other.execute("select version_num from alembic_version").fetchone() == ("0002",)
            other.rollback()
            yield 0

        assert schema.migrate(empty, login(empty, "tessera_app"), lock_pauses=pauses()) == schema.latest_revision()


def test_a_migration_records_the_oldest_code_that_can_use_the_schema(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    scripts = ScriptDirectory.from_config(Config(schema.CONFIGURATION))
    floor = scripts.get_revision(schema.latest_revision()).module.compatible_since
    with psycopg.connect(plain(empty)) as connection:
        assert connection.execute(schema_version.QUERY).fetchall() == [(schema.latest_revision(), floor)]
        go_to(empty, "0014")
        assert connection.execute(schema_version.QUERY).fetchall() == [("0014", "0014")]


def test_an_unknown_database_is_reported_in_one_line(empty: str) -> None:
    nowhere = make_url(empty).set(database="no_such_database").render_as_string(hide_password=False)
    with pytest.raises(schema.CannotMigrate) as caught:
        schema.migrate(nowhere, nowhere)
    assert "no_such_database" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def managed(admin: psycopg.Connection[Any], cluster: str, addresses: Addresses) -> Iterator[str]:
    """The URL of a login without superuser rights that owns its database, as on managed Postgres.

    On this server the fixture `addresses` has created the two roles, so they are granted to the login. In
    test_logins.py such a login creates them itself.
    """
    name = f"managed_{uuid4().hex}"
    role = sql.Identifier(name)
    admin.execute(sql.SQL("create role {} login createrole createdb password 'managed-password'").format(role))
    admin.execute(sql.SQL("grant tessera_owner, tessera_app to {} with admin option").format(role))
    admin.execute(sql.SQL("create database {} owner {}").format(role, role))
    address = make_url(login(cluster, name, "managed-password")).set(database=name)
    yield address.render_as_string(hide_password=False)
    admin.execute(sql.SQL("drop database {} with (force)").format(role))
    admin.execute(sql.SQL("revoke tessera_owner, tessera_app from {} cascade").format(role))
    admin.execute(sql.SQL("drop role {}").format(role))


def test_a_login_that_is_no_superuser_migrates(managed: str, empty: str) -> None:
    schema.migrate(managed, managed)
    schema.migrate(empty, login(empty, "tessera_app"))
    expected = snapshot(empty)
    assert {kind: rows for kind, rows in snapshot(managed).items() if kind != "relations"} == {
        kind: rows for kind, rows in expected.items() if kind != "relations"
    }


async def test_a_login_for_both_purposes_acts_as_the_application(managed: str) -> None:
    await asyncio.to_thread(schema.migrate, managed, managed)
    database = Database(managed)
    try:
        async with database.unit_of_work(new_id()) as work:
            users = await work.connection.exec_driver_sql("select current_user, session_user")
            assert users.one() == ("tessera_app", make_url(managed).username)
    finally:
        await database.close()


async def test_jobs_act_as_the_application_too(managed: str) -> None:
    await asyncio.to_thread(schema.migrate, managed, managed)
    async with create_jobs(managed).open_async() as jobs:
        row = await jobs.connector.execute_query_one_async("select current_user as role")
        assert row == {"role": "tessera_app"}
        assert await jobs.check_connection_async()


def test_a_login_that_may_not_act_as_the_owner_is_reported_in_one_line(
    admin: psycopg.Connection[Any], managed: str
) -> None:
    name = sql.Identifier(str(make_url(managed).username))
    admin.execute(sql.SQL("revoke tessera_owner from {} cascade").format(name))
    with pytest.raises(schema.CannotMigrate) as caught:
        schema.migrate(managed, managed)
    assert "tessera_owner" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_application_itself_cannot_migrate(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    application = psycopg.connect(plain(empty), options="-c role=tessera_app")
    with application as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("delete from alembic_version")


def test_names_and_addresses_that_collide_are_reported_and_stay_as_they_are(
    empty: str, caplog: pytest.LogCaptureFixture
) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    go_to(empty, "0015")
    decomposed = "Cafe\N{COMBINING ACUTE ACCENT}"
    with psycopg.connect(plain(empty), autocommit=True) as connection:
        organization = (
            "insert into organizations (id, name, is_active, created_at, version) values (%s, %s, true, now(), 1)"
        )
        partner = (
            "insert into voucher_partners (organization_id, id, name, status, created_at, version)"
            " values (%s, gen_random_uuid(), %s, 'Active', now(), 1)"
        )
        user = (
            "insert into users (organization_id, id, email, first_name, last_name, function_points, is_active,"
            " created_at, version) values (%s, gen_random_uuid(), %s, '', '', '{}', true, now(), 1)"
        )
        owner = new_id()
        connection.execute(organization, [owner, " Board"])
        for name in ("Acme", "Acme ", " Globex", decomposed, "Café"):
            connection.execute(partner, [owner, name])
        for email in ("ada@example.com", "JOSÉ@münchen.de", "josé@xn--mnchen-3ya.de"):
            connection.execute(user, [owner, email])
        schema.migrate(empty, login(empty, "tessera_app"))
        names = connection.execute(
            "select name from voucher_partners union all select name from organizations where id = %s", [owner]
        ).fetchall()
        emails = connection.execute("select email from users").fetchall()
    assert {name for (name,) in names} == {"Acme", "Acme ", "Board", "Globex", decomposed, "Café"}
    assert {email for (email,) in emails} == {"ada@example.com", "JOSÉ@münchen.de", "josé@xn--mnchen-3ya.de"}
    messages = [message for message in caplog.messages if "stays as it is" in message]
    assert sorted(message.partition(",")[0] for message in messages) == [
        "users: email 'JOSÉ@münchen.de' stays as it is",
        "voucher_partners: name 'Acme ' stays as it is",
        f"voucher_partners: name {decomposed!r} stays as it is",
    ]


def test_what_the_rules_of_reservations_would_not_allow_is_named_and_stays_as_it_is(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    go_to(empty, "0019")
    owner, purchase, exams = new_id(), new_id(), (new_id(), new_id())
    with psycopg.connect(plain(empty), autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")  # without the rows that foreign keys refer to
        connection.execute(
            "insert into promo_codes (organization_id, id, name, status, discount_percent, redemption_count,"
            " held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version)"
            " values (%s, %s, 'paid', 'Active', 1, 0, 0, false, false, false, now(), 1)",
            [owner, new_id()],
        )
        connection.execute(
            "insert into vouchers (organization_id, id, purchase_id, partner_id, code, is_active, is_archived,"
            " expires_at, version) values (%s, %s, %s, %s, 'PAID', true, false, now(), 1)",
            [owner, new_id(), purchase, new_id()],
        )
        used = (("R-TWO", 0, 50), ("R-TWO", 0, 50), ("R-OTHER", 0, 1), ("R-OTHER", 1, 1), ("R-MUCH", 0, 60))
        ids = {code: new_id() for code, *_ in used}
        for code, id_ in ids.items():
            connection.execute(
                "insert into reservations (organization_id, id, code, status, created_at, updated_at)"
                " values (%s, %s, %s, 'Created', now(), now())",
                [owner, id_, code],
            )
        for number, (code, exam, discount) in enumerate([*used, ("R-MUCH", 0, 60)]):
            connection.execute(
                "insert into redemptions (organization_id, id, reservation_id, code, promo_code_owner_id,"
                " promo_code_id, store_exam_id, person_id, client_candidate_id, first_name, last_name, list_price,"
                " discount, status, changes, created_at, updated_at)"
                " values (%s, %s, %s, %s, %s, %s, %s, 'P', 'C', 'A', 'B', 100, %s, 'Redeemed', 1, now(), now())",
                [owner, new_id(), ids[code], f"C{number}", owner, new_id(), exams[exam], discount],
            )
        contents = (
            "select to_jsonb(r) - '{earlier_discounts,is_combinable,made_by,metadata}'::text[] from redemptions r"
        )
        before = connection.execute(f"{contents} order by id").fetchall()
        with capture_logs() as logs:
            schema.migrate(empty, login(empty, "tessera_app"))
        assert connection.execute(f"{contents} order by id").fetchall() == before
    found = [
        (each["event"], each["count"], each["first"]) for each in logs if each.get("organization_id") == str(owner)
    ]
    assert found == [
        ("reservations are for several candidates or products", 1, ["R-OTHER"]),
        ("reservations use several codes", 3, ["R-MUCH", "R-OTHER", "R-TWO"]),
        ("the codes of reservations give more than the price", 1, ["R-MUCH"]),
        ("promo codes have the text of a voucher, which takes precedence", 1, ["paid"]),
    ]


def test_all_who_could_see_voucher_codes_get_the_right(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    go_to(empty, "0035")
    owner = new_id()
    with psycopg.connect(plain(empty), autocommit=True) as connection:
        connection.execute(
            "insert into organizations (id, name, is_active, created_at, version) values (%s, 'Board', true, now(), 1)",
            [owner],
        )
        connection.execute(
            "insert into users (organization_id, id, email, first_name, last_name, function_points, is_active,"
            " created_at, version) select %s, gen_random_uuid(), n || '@example.com', '', '',"
            " array[case when n <= 2500 then 'ManageOrganization' else 'StorefrontSupport' end], true, now(), 1"
            " from generate_series(1, 2510) n",
            [owner],
        )
        schema.migrate(empty, login(empty, "tessera_app"))
        rights = connection.execute("select function_points, count(*) from users group by 1 order by 2").fetchall()
    assert rights == [(["StorefrontSupport"], 10), (["ManageOrganization", "SeeVoucherCodes"], 2500)]


def test_metadata_become_a_column_of_their_records(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    go_to(empty, "0028")
    owner, ids = new_id(), [new_id() for _ in range(2)]
    with psycopg.connect(plain(empty), autocommit=True) as connection:
        connection.execute(
            "insert into organizations (id, name, is_active, created_at, version) values (%s, 'A', true, now(), 1)",
            [owner],
        )
        for code_id, name in zip(ids, ("ONE", "TWO"), strict=True):
            connection.execute(
                "insert into promo_codes (organization_id, id, name, status, discount_percent, redemption_count,"
                " held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version)"
                " values (%s, %s, %s, 'Active', 10, 0, 0, false, false, false, now(), 1)",
                [owner, code_id, name],
            )
        texts = "insert into record_metadata (organization_id, kind, record_id, key, value) values (%s, %s, %s, %s, %s)"
        for kind, key in (("PromoCode", "order"), ("PromoCode", "note"), ("Voucher", "other")):
            connection.execute(texts, [owner, kind, ids[0], key, "1"])
        schema.migrate(empty, login(empty, "tessera_app"))
        found = connection.execute("select name, metadata from promo_codes order by name").fetchall()
        assert found == [("ONE", {"order": "1", "note": "1"}), ("TWO", None)]


def test_closed_days_get_the_totals_of_global_codes(empty: str) -> None:
    schema.migrate(empty, login(empty, "tessera_app"))
    go_to(empty, "0043")
    owner, platform = new_id(), UUID(int=0)
    with psycopg.connect(plain(empty), autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("insert into report_marks values (%s, '2026-06-03')", [owner])
        of_platform = [(platform, change, day) for change, day in ((1, 1), (1, 1), (-1, 2), (1, 3))]
        for code_owner, change, day in [*of_platform, (owner, 1, 2)]:
            connection.execute(
                "insert into redemption_ledger (organization_id, redemption_id, number, status, redeemed_change,"
                " held_change, promo_code_owner_id, code, store_exam_id, discount, at)"
                " values (%s, gen_random_uuid(), 1, '', %s, 0, %s, 'ONE', gen_random_uuid(), 5, %s)",
                [owner, change, code_owner, datetime(2026, 6, day, 23, tzinfo=UTC)],
            )
        schema.migrate(empty, login(empty, "tessera_app"))
        found = connection.execute("select * from redemption_totals order by day").fetchall()
        # Workers of the last release would leave them out of the days that they roll up.
        connection.execute("set app.organization_id = '00000000-0000-0000-0000-000000000000'")
        old = connection.execute("select list_unrolled_organizations('2027-01-01')").fetchall()
    row = (owner, "globalCode", "ONE")
    assert found == [(*row, date(2026, 6, 1), 2, 0, 10), (*row, date(2026, 6, 2), 0, 1, -5)]
    assert old == []
