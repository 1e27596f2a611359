"""One reservation for one candidate and one product, and codes that can be combined.

Existing redemptions stay as they are. The log names for each organization the first of those that the new rules would not allow.
"""

import structlog
from alembic import op
from sqlalchemy import text

from migrations import functions, steps

revision = "0020"
down_revision = "0019"
compatible_since = "0014"

log = structlog.get_logger(__name__)

COLUMNS = {
    "promo_codes": ("is_combinable boolean",),
    "promo_code_batches": ("is_combinable boolean",),
    "redemptions": ("earlier_discounts numeric(12, 2)", "is_combinable boolean"),
}
PRICE = "discount >= 0 and earlier_discounts >= 0 and list_price >= discount + coalesce(earlier_discounts, 0)"
RESERVATIONS = """
    select organization_id, count(*), array_agg(b.code order by b.code)
    from (
        select organization_id, reservation_id from redemptions
        where status = 'Redeemed' or status = 'Held' and held_until > now()
        group by organization_id, reservation_id having {condition}
    ) found join reservations b using (organization_id) where b.id = found.reservation_id
    group by organization_id
"""
MAX_NAMED = 20
FINDINGS = {
    "reservations are for several candidates or products": RESERVATIONS.format(
        condition="count(distinct (person_id, store_exam_id, product_bundle_id)) > 1"
    ),
    "reservations use several codes": RESERVATIONS.format(condition="count(*) > 1"),
    "the codes of reservations give more than the price": RESERVATIONS.format(
        condition="sum(discount) > max(list_price)"
    ),
    "promo codes have the text of a voucher, which takes precedence": """
        select p.organization_id, count(*), array_agg(p.name order by p.name) from promo_codes p
        join vouchers v on v.organization_id = p.organization_id and v.code = upper(p.name collate "C") collate "default"
        group by p.organization_id
    """,
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        added = ", ".join(f"add column if not exists {column}" for column in columns)
        op.execute(f"alter table {table} {added}")
        steps.commit()
    # On redemptions of the previous release, the new check is the old one.
    op.execute(
        "-- squawk-ignore ban-drop-constraint\nalter table redemptions drop constraint redemptions_price_check,"
        f" add constraint redemptions_price_check check ({PRICE}) not valid"
    )
    steps.commit()
    # Reads all rows without a lock that blocks writers.
    op.execute("alter table redemptions validate constraint redemptions_price_check")
    steps.commit()
    functions.install("look_up_promo_codes", 1)
    for finding, query in FINDINGS.items():
        for organization_id, count, names in op.get_bind().execute(text(query)):
            log.warning(finding, organization_id=str(organization_id), count=count, first=names[:MAX_NAMED])


def downgrade() -> None:
    op.execute("drop function look_up_promo_codes(text[], uuid[], uuid[], text[], text[], timestamptz)")
    op.execute("alter table redemptions drop constraint redemptions_price_check")
    op.execute(
        "alter table redemptions drop column earlier_discounts, drop column is_combinable,"
        " add constraint redemptions_price_check check (list_price >= discount and discount >= 0)"
    )
    op.execute("alter table promo_code_batches drop column is_combinable")
    op.execute("alter table promo_codes drop column is_combinable")
