"""Thousands of organizations, each with its callers, what they ask for, and work for every periodic task.

All ids are functions of a number, so that two runs have the same data.
"""

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from uuid import UUID

import psycopg

from benchmarks.data import TOKEN_KEYS, Shop
from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import CredentialName
from tessera.kit.tokens import TokenSigner


class Kind(IntEnum):
    """The part of an id that tells the kinds of records apart."""

    ORGANIZATION = 0xA001
    KEY = 0xA002
    EXAM = 0xA003
    CODE = 0xA004
    USER = 0xA005
    TOKEN = 0xA006
    PARTNER = 0xA007
    PROGRAM = 0xA008
    ENTRY = 0xA009
    RESERVATION = 0xA00A
    HOLD = 0xA00B
    REDEMPTION = 0xA00C
    PURCHASE = 0xA00D


def id_of(kind: Kind, number: int) -> UUID:
    """The id of the record of this kind of organization `number`."""
    return UUID(f"01900000-{kind:04x}-7000-8000-{number:012x}")


def _sql_id(kind: Kind) -> str:
    return f"('01900000-{kind:04x}-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"


_IDS = {kind.name.lower(): _sql_id(kind) for kind in Kind}
# Statements with `{name}` for the id of a record of organization `n`.
_RECORDS = """
insert into organizations (id, name, is_active, created_at, version)
select {organization}, 'Organization ' || n, true, now(), 1 from numbers;
insert into store_exams (organization_id, id, code, name, price, status, created_at, version)
select {organization}, {exam}, 'EXAM', 'Exam', 100, 'Active', now(), 1 from numbers;
insert into promo_codes (
    organization_id, id, name, status, discount_percent, expires_at, max_redemptions, redemption_count, held_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version
)
select {organization}, {code}, 'CODE', 'Active', 10, now() + interval '1 year', 100000, 0, 0, false, false, false,
       now(), 1 from numbers;
insert into users (
    organization_id, id, email, first_name, last_name, function_points, is_active, created_at, version
)
select {organization}, {user}, 'a@example.com', 'A', 'B', '{{PartnerManageVouchers,PartnerManagePromoCodes}}', true,
       now(), 1 from numbers;
insert into issued_tokens (organization_id, id, user_id, created_at, expires_at, version)
select {organization}, {token}, {user}, now(), now() + interval '1 day', 1 from numbers;
insert into voucher_partners (organization_id, id, name, status, created_at, version)
select {organization}, {partner}, 'Partner', 'Active', now(), 1 from numbers;
insert into voucher_programs (
    organization_id, id, name, status, allow_ach_payments, expiration_period_in_days,
    can_assigned_partners_purchase_zero_price, is_available_to_all_partners, partner_cost_per_voucher,
    enforce_assigned_email, voucher_code_prefix, created_at, version
)
select {organization}, {program}, 'Program', 'Active', false, 365, true, true, 0, false, 'PROGRAM-', now(), 1
from numbers
"""
# One piece of work for each periodic task: an unsealed entry, a redemption of a closed day, a lapsed hold, an overdue
# checkout, and an expired idempotency key.
_WORK = """
insert into audit_entries (
    organization_id, id, at, actor_kind, actor_name, action, entity_kind, entity_id, after
)
select {organization}, {entry}, now(), 'Command', 'benchmark', 'Created', 'PromoCode', {code}, '{{"name": "CODE"}}'
from numbers;
insert into audit_unsealed (organization_id, entry_id) select {organization}, {entry} from numbers;
insert into reservations (organization_id, id, code, status, created_at, updated_at)
select {organization}, {reservation}, 'RSV', 'Created', now(), now() from numbers;
insert into redemptions (
    organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, store_exam_id, person_id,
    client_candidate_id, first_name, last_name, list_price, discount, status, held_until, changes, created_at,
    updated_at
)
select {organization}, redemption.id, {reservation}, redemption.code, {organization}, {code}, {exam}, 'P-1', 'C-1',
       'Ada', 'Byron', 100, 10, redemption.status, redemption.held_until, 1, now(), now()
from numbers, lateral (
    values ({hold}, 'CODE', 'Held', now() - interval '1 minute'), ({redemption}, 'EARLIER', 'Redeemed', null)
) redemption (id, code, status, held_until);
update promo_codes set held_count = held_count + 1 where id in (select {code} from numbers);
insert into redemption_ledger (
    organization_id, redemption_id, number, status, redeemed_change, held_change, promo_code_owner_id, promo_code_id,
    code, store_exam_id, discount, at
)
select {organization}, entry.id, 1, entry.status, entry.redeemed, 1 - entry.redeemed, {organization}, {code},
       entry.code, {exam}, 10, entry.at
from numbers, lateral (
    values ({hold}, 'CODE', 'Held', 0, now()), ({redemption}, 'EARLIER', 'Redeemed', 1, now() - interval '2 days')
) entry (id, code, status, redeemed, at);
insert into voucher_purchases (
    organization_id, id, partner_id, program_id, code, status, quantity, quantity_used, amount_paid, notes, is_archived,
    purchased_by_first_name, purchased_by_last_name, purchased_at, amount, checkout_expires_at, version
)
select {organization}, {purchase}, {partner}, {program}, 'VP-1', 'CheckoutInProgress', 1, 0, 0, '', false, 'A', 'B',
       now() - interval '1 day', 10, now() - interval '1 hour', 1 from numbers;
insert into idempotency_keys (organization_id, caller_id, key, request_digest, status, body, created_at)
select {organization}, {key}, 'KEY', '\\x00', 201, '\\x00', now() - interval '30 days' from numbers
"""


def load(connection: psycopg.Connection, *, count: int) -> list[Shop]:
    """Add organizations `0` to `count - 1` with their callers and records."""
    _execute(connection, _RECORDS, count=count)
    now, signer, shops = datetime.now(UTC), TokenSigner(TOKEN_KEYS), []
    columns = "organization_id, id, name, key_digest, function_points, created_at, version"
    with connection.cursor() as cursor, cursor.copy(f"copy api_keys ({columns}) from stdin") as copy:
        for number in range(count):
            shop = _shop(number, signer, now=now)
            row = (shop.organization_id, shop.key_id, "Benchmark", credentials.digest_of(shop.api_key))
            copy.write_row((*row, ["StorefrontRedeem"], now, 1))
            shops.append(shop)
    return shops


def add_work(connection: psycopg.Connection, *, count: int) -> None:
    """Add a piece of work for each periodic task to each organization, once."""
    _execute(connection, _WORK, count=count)


def _shop(number: int, signer: TokenSigner, *, now: datetime) -> Shop:
    organization_id, key_id = id_of(Kind.ORGANIZATION, number), id_of(Kind.KEY, number)
    claims = {"org": str(organization_id), "kind": "token", "sub": str(id_of(Kind.TOKEN, number))}
    return Shop(
        organization_id=organization_id,
        key_id=key_id,
        api_key=credentials.new_key_text(CredentialName(organization_id, key_id)),
        exam_id=id_of(Kind.EXAM, number),
        token=signer.issue(claims, now=now, lifetime=timedelta(days=1)),
    )


def _execute(connection: psycopg.Connection, statements: str, *, count: int) -> None:
    connection.execute(f"create temporary table numbers as select n from generate_series(0, {count - 1}) n")
    connection.execute("set session_replication_role = replica")  # no checks of foreign keys, which the rows satisfy
    for statement in statements.format(**_IDS).strip().split(";\n"):
        connection.execute(statement)
    connection.execute("set session_replication_role = origin")
    connection.execute("drop table numbers")
