"""The policies and the grants of every table, compared whole with their intention."""

import re
from typing import Any

import psycopg
import pytest
from tests.support import citus
from tests.support.tenant_clauses import COLUMNS

pytestmark = citus.plain_postgres_only("distributed tables have other policies")

OWN_ORGANIZATION = "(nullif(current_setting('app.organization_id'::text, true), ''::text))::uuid"
OWN_PARTNER = "( select (nullif(current_setting('app.partner_id'::text, true), ''::text))::uuid as \"nullif\")"
OF_PROGRAM = (
    "exists ( select from voucher_programs program"
    " where ((program.organization_id = {table}.organization_id) and (program.id = {table}.program_id)))"
)
ASSIGNED_OR_BOUGHT = " or ".join(
    f"(exists ( select from {table} {alias} where (({alias}.organization_id = voucher_programs.organization_id)"
    f" and ({alias}.program_id = voucher_programs.id) and ({alias}.partner_id = own_partner)){fence}))"
    for table, alias, fence in (
        ("voucher_program_partners", "assigned", ""),
        ("voucher_purchases", "bought", " offset 0"),
    )
)

# What users of a voucher partner may do with a table: the rows that they see, and the closed commands.
CLOSED, ALL = "false", "true"
READ_ONLY, APPEND_ONLY = ("insert", "update", "delete"), ("select", "update", "delete")
PARTNERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "api_clients": (CLOSED, ()),
    "api_keys": (CLOSED, ()),
    "audit_entries": (ALL, APPEND_ONLY),
    "audit_seals": (ALL, APPEND_ONLY),
    "audit_stubs": (CLOSED, ()),
    "audit_unsealed": (ALL, APPEND_ONLY),
    "audit_values": (ALL, APPEND_ONLY),
    "dropped_totals": (CLOSED, ()),
    "dropped_uses": (CLOSED, ()),
    "erasure_keys": (CLOSED, ()),
    "erasures": (CLOSED, ()),
    "idempotency_keys": (ALL, ()),
    "issued_tokens": (CLOSED, ()),
    "organization_deletions": (CLOSED, ()),
    "organization_imports": (CLOSED, ()),
    "organizations": (ALL, READ_ONLY),
    "product_bundle_store_exams": (ALL, READ_ONLY),
    "product_bundles": (ALL, READ_ONLY),
    "promo_code_batches": (CLOSED, ()),
    "promo_code_email_addresses": (ALL, ()),
    "promo_code_product_bundles": (ALL, ()),
    "promo_code_store_exams": (ALL, ()),
    "promo_code_shares": (CLOSED, ()),
    "promo_codes": (ALL, ()),
    "record_metadata": (CLOSED, ()),
    "redemption_ledger": (CLOSED, ()),
    "redemption_totals": (CLOSED, ()),
    "redemptions": (CLOSED, ()),
    "report_marks": (CLOSED, ()),
    "reservations": (CLOSED, ()),
    "retention_settings": (CLOSED, ()),
    "store_exams": (ALL, READ_ONLY),
    "users": ("partner_id = own_partner", READ_ONLY),
    "voucher_code_spaces": (CLOSED, ()),
    "voucher_partners": ("id = own_partner", READ_ONLY),
    "voucher_program_discounts": (OF_PROGRAM, READ_ONLY),
    "voucher_program_email_domains": (OF_PROGRAM, READ_ONLY),
    "voucher_program_partners": ("partner_id = own_partner", READ_ONLY),
    "voucher_program_store_exams": (OF_PROGRAM, READ_ONLY),
    "voucher_programs": (f"is_available_to_all_partners or {ASSIGNED_OR_BOUGHT}", READ_ONLY),
    "voucher_purchases": ("partner_id = own_partner", ()),
    "voucher_totals": (CLOSED, ()),
    "vouchers": ("partner_id = own_partner", ()),
}
# What the owner's functions may write, besides reading every row.
OWNERS: dict[str, tuple[tuple[str, str], ...]] = {
    "audit_stubs": (("owner_moves", "all"),),
    "dropped_totals": (("owner_adds", "all"),),
    "dropped_uses": (("owner_adds", "all"),),
    "idempotency_keys": (("owner_deletes", "delete"),),
    "promo_code_shares": (("owner_counts", "all"),),
    "promo_codes": (("owner_counts", "update"),),
    "record_metadata": (("owner_deletes", "delete"),),
    "redemption_ledger": (("owner_appends", "insert"), ("owner_deletes", "delete")),
    "redemptions": (("owner_expires", "update"), ("owner_deletes", "delete")),
    "report_marks": (("owner_locks", "update"), ("owner_deletes", "delete")),
    "reservations": (("owner_locks", "update"), ("owner_deletes", "delete")),
} | dict.fromkeys(
    # The application does not delete their rows, and the deletion of an organization does.
    ("audit_entries", "audit_seals", "audit_values", "voucher_totals"),
    (("owner_deletes", "delete"),),
)
# Tables that the application may not write in every way.
GRANTS = {
    "alembic_version": "select",
    "audit_entries": "insert select",
    "audit_seals": "insert select",
    "audit_stubs": "insert select",
    "audit_unsealed": "delete insert select",
    "audit_values": "delete insert select",
    "dropped_totals": "insert select",
    "dropped_uses": "insert select",
    "erasure_keys": "delete insert select",
    "erasures": "delete insert select",
    "promo_code_shares": "delete insert select",
    "redemption_ledger": "insert select",
    "redemption_totals": "delete insert select",
    "redemptions": "insert select update",
    "report_marks": "insert select update",
    "reservations": "insert select update",
    "voucher_totals": "insert select update",
}
EVERYTHING = "delete insert select update"

Policy = tuple[str, str, str, str, str | None, str | None]


def meant(table: str) -> set[Policy]:
    """The policies of a table: name, mode, role, command, and the conditions on existing and on new rows."""
    own_rows, closed_commands = PARTNERS[table]
    policies: set[Policy] = {
        ("tenant", "permissive", "tessera_app", "all", f"({COLUMNS[table]} = own_organization)", None),
        ("owner_reads", "permissive", "tessera_owner", "select", "true", None),
    }
    if own_rows != ALL:
        condition = own_rows.format(table=table)
        condition = condition if own_rows == CLOSED else f"({condition})"
        policies.add(("partner", "restrictive", "tessera_app", "all", f"((own_partner is null) or {condition})", None))
    for command in closed_commands:
        policies.add(conditional(f"partner_{command}", "restrictive", "tessera_app", command, "(own_partner is null)"))
    for name, command in OWNERS.get(table, ()):
        policies.add(conditional(name, "permissive", "tessera_owner", command, "true"))
    return policies


def conditional(name: str, mode: str, role: str, command: str, condition: str) -> Policy:
    existing, new = (None, condition) if command == "insert" else (condition, None)
    return name, mode, role, command, existing, new


def plain(text: str | None) -> str | None:
    """A part of the catalog in lower case, with short names for the pinned organization and partner."""
    if text is None:
        return None
    text = re.sub(r"\s+", " ", text.lower())
    return text.replace(OWN_ORGANIZATION, "own_organization").replace(OWN_PARTNER, "own_partner")


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_has_exactly_the_policies_that_are_meant(superuser: psycopg.Connection[Any], table: str) -> None:
    rows = superuser.execute(
        "select policyname, permissive, array_to_string(roles, ' '), cmd, qual, with_check from pg_policies"
        " where schemaname = 'public' and tablename = %s",
        [table],
    ).fetchall()
    assert {tuple(map(plain, row)) for row in rows} == meant(table)


def test_the_application_has_exactly_the_grants_that_are_meant(superuser: psycopg.Connection[Any]) -> None:
    rows = superuser.execute(
        "select table_name, string_agg(lower(privilege_type), ' ' order by privilege_type)"
        " from information_schema.role_table_grants where grantee = 'tessera_app' and table_schema = 'public'"
        " and table_name not like 'procrastinate%' group by table_name"
    ).fetchall()
    assert dict(rows) == dict.fromkeys(COLUMNS, EVERYTHING) | GRANTS


def test_the_application_may_change_only_what_names_a_person_in_the_audit_log(
    superuser: psycopg.Connection[Any],
) -> None:
    rows = superuser.execute(
        "select table_name, column_name from information_schema.column_privileges"
        " where grantee = 'tessera_app' and table_schema = 'public' and privilege_type = 'UPDATE'"
        " and table_name like 'audit%' order by column_name"
    ).fetchall()
    assert rows == [("audit_entries", name) for name in ("actor_name", "actor_salt", "after", "before", "token_issuer")]


def test_nobody_else_has_a_policy_or_a_grant(superuser: psycopg.Connection[Any]) -> None:
    others = superuser.execute(
        "select tablename from pg_policies where schemaname = 'public' and tablename <> all (%s) union all"
        " select table_name from information_schema.role_table_grants where table_schema = 'public'"
        " and grantee not in ('tessera_app', 'tessera_owner')",
        [list(COLUMNS)],
    ).fetchall()
    assert others == []
