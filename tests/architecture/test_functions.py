"""Rules for the statements inside the SQL functions, which the driver of the application never sees."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pglast
import psycopg
import pytest
from tests.support import citus
from tests.support.row_locks import unordered_locks
from tests.support.tenant_clauses import unlimited_relations

pytestmark = citus.plain_postgres_only("other functions take the place of some")

# The variables of functions that name the pinned organization and the platform.
PINNED = re.compile(r"\b(?:own|platform)\b")
STATEMENT = re.compile(r"\s*(?:select|with|insert|update|delete)\b", re.IGNORECASE)
ASSIGNMENT = re.compile(r"\s*[\w.]+\s*:?=\s*(?=\S)")
# Functions whose purpose is to read or expire rows of several organizations: how often, and in which tables.
ACROSS_ORGANIZATIONS = {
    # For a caller whose organization is not known yet, or for many callers at once, each in its own.
    "find_callers": "2 api_clients 2 api_keys 2 issued_tokens 6 organizations 2 users 1 voucher_partners",
    "validate_promo_codes": "2 api_keys 2 organizations 1 product_bundle_store_exams "
    "1 promo_code_product_bundles 2 promo_code_shares "
    "1 promo_code_store_exams 2 promo_codes 4 redemptions 2 store_exams",
    "hold_organizations": "1 organizations",
    # For an organization that is a parameter.
    "delete_organization_rows": "1 organization_deletions 1 organizations",
    "hold_organization": "2 organizations",
    # For the platform.
    "find_organizations": "2 organizations",
    "list_organizations": "1 organizations",
    # For background work, which looks for organizations that have some.
    "delete_idempotency_keys": "3 idempotency_keys 1 organizations",
    "list_lapsed_holds": "1 organizations 1 redemptions",
    "list_organizations_to_roll_up": "1 organizations 1 redemption_ledger 1 report_marks",
    "list_overdue_checkouts": "1 voucher_purchases",
    "list_retention_settings": "1 retention_settings",
    "list_unfinished_purchases": "1 organizations 1 voucher_purchases",
    "list_unrolled_organizations": "1 organizations",
    "list_unsealed_entries": "1 audit_entries 3 audit_unsealed",
    "list_unsealed_organizations": "1 audit_unsealed",
    # For global codes, which all organizations use.
    "expire_lapsed_holds": "1 organizations 2 redemptions",
    "sum_holds_of_global_code": "1 organizations 2 redemptions",
    "sum_ledger_by_organization": "1 dropped_uses 1 redemption_ledger",
    "sum_ledger_of_global_codes": "1 dropped_uses 1 redemption_ledger",
    # For servers of the last release.
    "find_promo_code_usability": "2 api_keys 2 organizations 1 product_bundle_store_exams "
    "1 promo_code_product_bundles 1 promo_code_store_exams 2 promo_codes "
    "2 redemptions 2 store_exams",
    "find_promo_codes_for_storefront": "1 promo_code_email_addresses 1 promo_code_product_bundles "
    "1 promo_code_store_exams 1 promo_codes 2 redemptions 1 store_exams",
}


@pytest.fixture
def statements(superuser: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Each statement and expression in a function, after the function's name; what it is pinned to is a parameter.

    Statements that a function makes of texts are missing.
    """
    definitions = superuser.execute(
        "select proname, lanname, prosrc, pg_get_functiondef(f.oid)"
        " from pg_proc f join pg_language l on l.oid = prolang"
        " where pronamespace = 'public'::regnamespace and proname !~ '^procrastinate'"
    ).fetchall()
    return [
        (name, PINNED.sub("%s", statement))
        for name, language, source, definition in definitions
        for statement in (_statements(pglast.parse_plpgsql(definition)) if language == "plpgsql" else [source])
    ]


def _statements(tree: Any, kind: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == "PLpgSQL_expr":
                text = ASSIGNMENT.sub("", value["query"], count=1) if kind == "PLpgSQL_stmt_assign" else value["query"]
                yield text if STATEMENT.match(text) else f"select {text}"
            else:
                yield from _statements(value, name if name.startswith("PLpgSQL_stmt") else kind)
    elif isinstance(tree, list):
        for value in tree:
            yield from _statements(value, kind)


def test_functions_limit_every_table_to_their_organization_but_for_those_with_a_purpose_across(
    statements: list[tuple[str, str]],
) -> None:
    found: dict[str, Counter[str]] = {}
    for name, statement in statements:
        for relation in unlimited_relations(statement):
            found.setdefault(name, Counter())[relation.split("(")[1].rstrip(")")] += 1
    counts = {name: " ".join(f"{tables[each]} {each}" for each in sorted(tables)) for name, tables in found.items()}
    assert counts == ACROSS_ORGANIZATIONS


def test_functions_lock_several_rows_in_the_order_of_a_key(statements: list[tuple[str, str]]) -> None:
    assert [(name, locks) for name, statement in statements if (locks := unordered_locks(statement))] == []
