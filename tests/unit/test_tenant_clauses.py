"""The checks of every statement: conditions on organizations, silent insertions, and the order of locks."""

import pytest
from tests.support.row_locks import unordered_locks, whole_changes
from tests.support.tenant_clauses import silent_insertions, unlimited_relations

OWN = "organization_id = %(organization_id)s"


@pytest.mark.parametrize(
    "statement",
    [
        f"select 1 from users where {OWN} and id = %(id)s",
        f"select 1 from users u where u.{OWN}::uuid",
        "select 1 from organizations where id = %(organization_id)s",
        f"select 1 from users u join api_keys k on k.organization_id = u.organization_id where u.{OWN}",
        f"select 1 from users u left join api_keys k on k.organization_id = u.organization_id where u.{OWN}",
        f"update users set email = %(email)s where {OWN}",
        f"delete from users using api_keys k where users.{OWN} and k.{OWN}",
        f"select (select 1 from api_keys k where k.organization_id = u.organization_id) from users u where u.{OWN}",
        f"with own as (select * from users where {OWN}) select 1 from own",
        "select 1 from users u where (u.organization_id, u.id) = (%s, %s)",
        f"insert into users select * from users where {OWN}",
        "insert into users (organization_id) values (%(organization_id)s)",
        "select 1 from procrastinate_jobs",
    ],
)
def test_a_limited_statement_passes(statement: str) -> None:
    assert unlimited_relations(statement) == ()


@pytest.mark.parametrize(
    ("statement", "relations"),
    [
        ("select 1 from users where id = %(id)s", ["users (users)"]),
        (f"select 1 from users where {OWN} or id = %(id)s", ["users (users)"]),
        ("select 1 from users where organization_id <> %s", ["users (users)"]),
        ("select 1 from users where organization_id = organization_id", ["users (users)"]),
        (f"select 1 from users u join api_keys k on k.id = u.id where u.{OWN}", ["k (api_keys)"]),
        (f"select 1 from users u left join api_keys k on u.{OWN}", ["u (users)", "k (api_keys)"]),
        ("update users set email = %(email)s where id = %(id)s", ["users (users)"]),
        (f"delete from users using api_keys k where users.{OWN}", ["k (api_keys)"]),
        (f"select (select 1 from api_keys k where k.id = u.id) from users u where u.{OWN}", ["k (api_keys)"]),
        ("with own as (select * from users) select 1 from own", ["users (users)"]),
        ("select 1 from users where id in (select id from api_keys where organization_id = %s)", ["users (users)"]),
        ("insert into users select * from users", ["users (users)"]),
    ],
)
def test_a_relation_without_its_condition_is_named(statement: str, relations: list[str]) -> None:
    assert list(unlimited_relations(statement)) == relations


@pytest.mark.parametrize(
    ("statement", "insertions"),
    [
        ("insert into users select * from api_keys", ["insert into users"]),
        ("insert into users select * from api_keys on conflict do nothing", ["insert into users"]),
        ("insert into users select * from api_keys returning id", []),
        ("insert into users (id) values (%(id)s)", []),
        ("insert into users (id) values ((select id from api_keys limit 1))", []),
        (
            "with added as (insert into users select * from api_keys returning id), noted as ("
            "insert into audit_entries select id from added) select count(*) from added",
            ["insert into audit_entries"],
        ),
    ],
)
def test_an_insertion_of_a_query_without_returning_is_named(statement: str, insertions: list[str]) -> None:
    assert list(silent_insertions(statement)) == insertions


@pytest.mark.parametrize(
    ("statement", "locks"),
    [
        (f"select id from users where {OWN} and id = %(id)s for update", []),
        ("select 1 from report_marks where organization_id = %s for no key update", []),
        ("select 1 from organizations where id = %s for share", []),
        (f"select id from users where {OWN} and id = any (%(ids)s) order by id for update", []),
        (f"select id from users where {OWN} and id = any (%(ids)s) for update skip locked", []),
        (f"select u.id from users u join api_keys k on k.id = u.id where u.{OWN} and u.id = %s for update of u", []),
        (f"select id from users where {OWN} and id = any (%(ids)s) for update", ["users"]),
        (f"select id from users where {OWN} and id = any (%(ids)s) order by id desc for share", ["users"]),
        (f"select id from users where {OWN} order by first_name for update", ["users"]),
        (f"select id from users where {OWN} order by random() for update", ["users"]),
        ("select 1 from organizations where id = any (%s) for share", ["organizations"]),
        ("select u.id from users u join organizations o on o.id = u.organization_id for update of u", ["users"]),
        ("select u.id from users u join api_keys k on k.id = u.id where k.id = %s for update of u", ["users"]),
        (
            f"with found as (select u.id from users u join api_keys k on k.id = u.id where u.{OWN} for update)"
            " delete from users using found where users.id = found.id",
            ["users", "api_keys"],
        ),
    ],
)
def test_a_lock_of_several_rows_that_is_not_in_the_order_of_a_key_is_named(statement: str, locks: list[str]) -> None:
    assert list(unordered_locks(statement)) == locks


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        (f"delete from users where {OWN} and id = %s", []),
        (f"update users set version = 2 where {OWN} and (select true from api_keys where name = 'x')", []),
        ("update report_marks set closed = now() where organization_id = %s", []),
        ("insert into users (id) values (%s) on conflict do nothing", []),
        (f"delete from users where {OWN}", ["users"]),
        (f"with gone as (delete from users where {OWN} returning id) select 1", ["users"]),
        (f"update users u set version = 2 from api_keys k where u.{OWN}", ["users"]),
    ],
)
def test_a_change_of_all_rows_of_an_organization_is_named(statement: str, tables: list[str]) -> None:
    assert list(whole_changes(statement)) == tables
