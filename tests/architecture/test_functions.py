"""Rules for the statements inside the SQL functions, which the driver of the application never sees."""

import re
from collections.abc import Iterator
from typing import Any

import pglast
import psycopg
import pytest
from tests.support import citus
from tests.support.lock_order import unordered_locks
from tests.support.tenant_clauses import unlimited_relations

pytestmark = citus.plain_postgres_only("other functions take the place of some")

# The variables of functions that name the pinned organization and the platform.
PINNED = re.compile(r"\b(?:own|platform)\b")
STATEMENT = re.compile(r"\s*(?:select|with|insert|update|delete)\b", re.IGNORECASE)
# Functions whose purpose is to read or expire rows of several organizations, and the tables where they do.
ACROSS_ORGANIZATIONS = {
    # For a caller whose organization is not known yet, or for many callers at once, each in its own.
    "find_callers": "api_clients api_keys issued_tokens organizations users voucher_partners",
    "validate_promo_codes": "api_keys organizations product_bundle_store_exams promo_code_product_bundles"
    " promo_code_shares promo_code_store_exams promo_codes redemptions store_exams",
    "hold_organizations": "organizations",
    # For the platform.
    "find_organizations": "organizations",
    "list_organizations": "organizations",
    # For background work, which looks for organizations that have some.
    "delete_idempotency_keys": "idempotency_keys organizations",
    "list_lapsed_holds": "organizations redemptions",
    "list_organizations_to_roll_up": "organizations redemption_ledger report_marks",
    "list_overdue_checkouts": "voucher_purchases",
    "list_retention_settings": "retention_settings",
    "list_unfinished_purchases": "organizations voucher_purchases",
    "list_unrolled_organizations": "organizations",
    "list_unsealed_entries": "audit_entries audit_unsealed",
    "list_unsealed_organizations": "audit_unsealed",
    # For global codes, which all organizations use.
    "expire_lapsed_holds": "organizations redemptions",
    "sum_holds_of_global_code": "organizations redemptions",
    "sum_ledger_by_organization": "dropped_uses redemption_ledger",
    "sum_ledger_of_global_codes": "dropped_uses redemption_ledger",
    # For servers of the last release.
    "find_promo_code_usability": "api_keys organizations product_bundle_store_exams promo_code_product_bundles"
    " promo_code_store_exams promo_codes redemptions store_exams",
    "find_promo_codes_for_storefront": "promo_code_email_addresses promo_code_product_bundles promo_code_store_exams"
    " promo_codes redemptions store_exams",
}


@pytest.fixture
def statements(superuser: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Each statement in a function, after the name of the function, with parameters for what it is pinned to."""
    definitions = superuser.execute(
        "select proname, lanname, prosrc, pg_get_functiondef(f.oid)"
        " from pg_proc f join pg_language l on l.oid = prolang"
        " where pronamespace = 'public'::regnamespace and proname !~ '^procrastinate'"
    ).fetchall()
    return [
        (name, PINNED.sub("%s", statement))
        for name, language, source, definition in definitions
        for statement in (_queries(pglast.parse_plpgsql(definition)) if language == "plpgsql" else [source])
        if STATEMENT.match(statement)
    ]


def _queries(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from [value["query"]] if name == "PLpgSQL_expr" else _queries(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _queries(value)


def test_functions_limit_every_table_to_their_organization_but_for_those_with_a_purpose_across(
    statements: list[tuple[str, str]],
) -> None:
    found: dict[str, set[str]] = {}
    for name, statement in statements:
        for relation in unlimited_relations(statement):
            found.setdefault(name, set()).add(relation.split("(")[1].rstrip(")"))
    assert {name: " ".join(sorted(tables)) for name, tables in found.items()} == ACROSS_ORGANIZATIONS


def test_functions_lock_several_rows_in_ascending_order(statements: list[tuple[str, str]]) -> None:
    assert [(name, locks) for name, statement in statements if (locks := unordered_locks(statement))] == []
