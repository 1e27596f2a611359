"""Rows of every kind that a list shows, as SQL of their number n."""

from typing import Any
from uuid import UUID

import psycopg
from tests.support.plans import vacuum, without_indexes

COUNT = 30_000
_AT = "timestamptz '2026-06-15' + n * interval '1 second'"
_NONE = "'{}'"


def _id(number: str) -> str:
    return f"('00000000-0000-7000-8000-' || lpad(to_hex({number}), 12, '0'))::uuid"


def _few(few: str, many: str) -> str:
    """One of 1,000 rows has the first text, the others have the second one."""
    return f"case when n % 1000 = 5 then '{few}' else '{many}' end"


_ID, _REFERENCE = _id("n"), _id("case when n % 1000 = 5 then 2 else 1 end")
_EMAIL = _few("few@example.com", "many@example.com")
_NEW = {"id": _ID, "created_at": _AT, "version": "1"}
_STATUS = {"status": _few("Archived", "Active")}
# The status of a checkout has more values than two, and few rows have one of the others.
_CHECKOUT = (
    "case n % 1000 when 5 then 'CheckoutCancelled' when 6 then 'CheckoutExpired' when 7 then 'CheckoutInProgress'"
    " else 'Complete' end"
)
_RECIPIENT = {"assigned_at": _AT, "recipient_email": _EMAIL}
ROWS: dict[str, dict[str, str]] = {
    "store_exams": _NEW | _STATUS | {"code": "'E' || n", "name": "''", "price": "1"},
    "product_bundles": _NEW | _STATUS | {"name": "''", "price": "1"},
    "product_bundle_store_exams": {"product_bundle_id": _ID, "store_exam_id": _REFERENCE},
    "voucher_partners": _NEW | _STATUS | {"name": "'Partner ' || n"},
    "users": _NEW
    | {
        "email": "'u' || n || '@example.com'",
        "first_name": "''",
        "last_name": "''",
        "function_points": _NONE,
        "is_active": "n % 1000 <> 5",
        "partner_id": f"case when n % 2 = 0 then {_REFERENCE} end",
    },
    "api_clients": _NEW | {"name": "'C' || n", "secret_digest": "sha256(n::text::bytea)", "function_points": _NONE},
    "api_keys": _NEW | {"name": "'K' || n", "key_digest": "sha256(n::text::bytea)", "function_points": _NONE},
    "issued_tokens": _NEW | {"user_id": _REFERENCE, "expires_at": _AT},
    "promo_code_batches": _NEW
    | {
        "prefix": "'B'",
        "length": "8",
        "alphabet": "'ABC'",
        "quantity": "1",
        "made": "1",
        "status": "'Complete'",
        "code_status": "'Active'",
        "discount_percent": "10",
        "store_exam_ids": _NONE,
        "product_bundle_ids": _NONE,
    },
    "promo_codes": _NEW
    | _STATUS
    | {
        "name": "'CODE' || n",
        "discount_percent": "case when n % 1000 <> 6 then 10 end",
        "flat_discount": "case when n % 1000 = 6 then 10 end",
        "expires_at": "'2030-01-01'",
        "max_redemptions": "100",
        "redemption_count": "0",
        "held_count": "0",
        "restrict_to_email_addresses": "n % 1000 = 0",
        "has_store_exams": "true",
        "has_product_bundles": "true",
        "campaign": _few("Few", "Many"),
        "campaign_key": _few("few", "many"),
        "batch_id": _REFERENCE,
    },
    "promo_code_store_exams": {"promo_code_id": _ID, "store_exam_id": _REFERENCE, "position": "0"},
    "promo_code_product_bundles": {"promo_code_id": _ID, "product_bundle_id": _REFERENCE},
    "promo_code_email_addresses": {"promo_code_id": _ID, "email": _EMAIL, "email_key": _EMAIL, "position": "0"},
    "voucher_programs": _NEW
    | _STATUS
    | {
        "name": "'Program ' || n",
        "allow_ach_payments": "false",
        "expiration_period_in_days": "365",
        "can_assigned_partners_purchase_zero_price": "false",
        "is_available_to_all_partners": "true",
        "partner_cost_per_voucher": "0",
        "enforce_assigned_email": "false",
        "voucher_code_prefix": "''",
    },
    "voucher_purchases": {
        "id": _ID,
        "partner_id": _REFERENCE,
        "program_id": _REFERENCE,
        "code": "'VP-' || n",
        "status": _CHECKOUT,
        "quantity": "1",
        "quantity_used": "0",
        "amount_paid": "0",
        "notes": "''",
        "is_archived": "n % 1000 = 5",
        "purchased_by_first_name": "''",
        "purchased_by_last_name": "''",
        "purchased_by_email": _EMAIL,
        "purchased_at": _AT,
        "amount": "0",
        "version": "1",
    },
    "vouchers": _RECIPIENT
    | {
        "id": _ID,
        "purchase_id": _REFERENCE,
        "partner_id": _REFERENCE,
        "code": "'V' || n",
        "is_active": "n % 1000 <> 5",
        "expires_at": "'2030-01-01'",
        "reservation_code": "'R-' || n",
        "reservation_status": "'Created'",
        "store_exam_id": _REFERENCE,
        "used_at": f"case when n % 1000 = 5 then {_AT} end",
        "used_by_person_id": "'P'",
        "used_by_client_candidate_id": "''",
        "used_by_first_name": "''",
        "used_by_last_name": "''",
        "is_archived": "n % 1000 = 5",
        "version": "1",
    },
    "reservations": {"id": _ID, "code": "'R-' || n", "status": "'Created'", "created_at": _AT, "updated_at": _AT},
    "redemptions": {
        "id": _ID,
        "reservation_id": _ID,
        "code": _few("FEW", "MANY"),
        "promo_code_owner_id": "%(tenant)s",
        "promo_code_id": _ID,
        "store_exam_id": _id("1"),
        "person_id": _few("FEW", "MANY"),
        "client_candidate_id": "''",
        "first_name": "''",
        "last_name": "''",
        "email": "'a@example.com'",
        "list_price": "100",
        "discount": "10",
        "status": _few("Cancelled", "Redeemed"),
        "changes": "1",
        "created_at": _AT,
        "updated_at": _AT,
    },
    "audit_entries": {
        "id": _ID,
        "at": _AT,
        "actor_kind": "'User'",
        "actor_name": _EMAIL,
        "action": _few("Archived", "Updated"),
        "entity_kind": _few("Token", "PromoCode"),
        "entity_id": _REFERENCE,
    },
    "redemption_totals": {
        "dimension": "'code'",
        "key": "'CODE' || n",
        "day": "date '2026-06-15'",
        "redeemed": "1",
        "cancelled": "0",
        "discount": "10",
    },
}
_METADATA = f"""
insert into record_metadata (organization_id, kind, record_id, key, value)
select %(tenant)s, kind, {_ID}, 'channel', {_few("few", "many")} from generate_series(1, {COUNT}) n
cross join (values ('PromoCode'), ('Voucher'), ('VoucherProgram'), ('VoucherPurchase'), ('Redemption')) kinds (kind)
"""
TABLES = (*ROWS, "record_metadata")


def fill(superuser: psycopg.Connection[Any], tenant: UUID) -> None:
    """Add the rows to an organization, with statistics."""
    superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
    with without_indexes(superuser, *TABLES):
        for table, columns in ROWS.items():
            names, values = ", ".join(columns), ", ".join(columns.values())
            statement = f"insert into {table} (organization_id, {names}) select %(tenant)s, {values}"
            _run(superuser, f"{statement} from generate_series(1, {COUNT}) n", tenant)
        _run(superuser, _METADATA, tenant)
    vacuum(superuser, *TABLES)


def _run(superuser: psycopg.Connection[Any], statement: str, tenant: UUID) -> None:
    superuser.execute(statement.replace(" % ", " %% "), {"tenant": tenant})
