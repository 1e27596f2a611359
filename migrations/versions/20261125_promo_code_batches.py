"""Batches of promo codes, and indexes for the lists of promo codes in management."""

from alembic import op

from migrations import tenancy

revision = "0008"
down_revision = "0007"

BATCHES = """
create table promo_code_batches (
    organization_id uuid not null constraint promo_code_batches_organization_id_fk references organizations (id),
    id uuid not null,
    prefix text not null,
    prefix_key text not null generated always as (lower(prefix collate "C")) stored,
    length integer not null,
    alphabet text not null,
    quantity integer not null
        constraint promo_code_batches_quantity_check check (quantity between 1 and 1000000),
    made integer not null,
    status text not null constraint promo_code_batches_status_check
        check (status in ('InProgress', 'Cancelled', 'Exhausted', 'Complete')),
    code_status text not null,
    discount_percent integer,
    flat_discount numeric(12, 2),
    expires_at timestamptz,
    max_redemptions integer,
    max_redemptions_per_candidate integer,
    notes text,
    store_exam_ids uuid[] not null,
    product_bundle_ids uuid[] not null,
    created_at timestamptz not null,
    version integer not null,
    constraint promo_code_batches_pk primary key (organization_id, id),
    constraint promo_code_batches_made_check
        check (made between 0 and quantity and (status = 'Complete') = (made = quantity)),
    constraint promo_code_batches_length_check
        check (length >= 1 and length + char_length(prefix) between 3 and 25)
)
"""
BATCHES_BY_PATTERN = (
    "create index promo_code_batches_by_pattern_index on promo_code_batches (organization_id, prefix_key, length)"
)
KIND = "case when discount_percent is null then 'Flat' else 'Percent' end"
PROMO_CODES = (
    f"alter table promo_codes add column kind text not null generated always as ({KIND}) stored, add column batch_id uuid",
    "alter table promo_codes add constraint promo_codes_organization_id_batch_id_fk"
    " foreign key (organization_id, batch_id) references promo_code_batches (organization_id, id)",
    "create index promo_codes_by_status_index on promo_codes (organization_id, status, id)",
    "create index promo_codes_by_kind_index on promo_codes (organization_id, kind, id)",
    "create index promo_codes_by_status_and_kind_index on promo_codes (organization_id, status, kind, id)",
    "create index promo_codes_by_batch_index on promo_codes (organization_id, batch_id, id) where batch_id is not null",
)
BY_BUNDLE = "promo_code_product_bundles_by_product_bundle_index"


def upgrade() -> None:
    op.execute(BATCHES)
    op.execute(BATCHES_BY_PATTERN)
    tenancy.lock("promo_code_batches")
    tenancy.close_to_partners("promo_code_batches")
    for statement in PROMO_CODES:
        op.execute(statement)
    # The new index ends with the promo code, so that it returns a list by bundle in the order of codes.
    op.execute(f"drop index {BY_BUNDLE}")
    op.execute(
        f"create index {BY_BUNDLE} on promo_code_product_bundles (organization_id, product_bundle_id, promo_code_id)"
    )


def downgrade() -> None:
    op.execute(f"drop index {BY_BUNDLE}")
    op.execute(f"create index {BY_BUNDLE} on promo_code_product_bundles (organization_id, product_bundle_id)")
    op.execute(
        "drop index promo_codes_by_status_index, promo_codes_by_kind_index, promo_codes_by_status_and_kind_index"
    )
    op.execute("alter table promo_codes drop column batch_id, drop column kind")
    op.execute("drop table promo_code_batches")
