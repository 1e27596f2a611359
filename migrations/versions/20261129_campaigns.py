"""Campaigns of promo codes."""

from alembic import op

from migrations import steps

revision = "0024"
down_revision = "0023"
compatible_since = "0014"

TABLES = ("promo_codes", "promo_code_batches")
INDEX = "promo_codes_by_campaign_index"


def upgrade() -> None:
    for table in TABLES:
        op.execute(
            f"alter table {table} add column if not exists campaign text, add column if not exists campaign_key text"
        )
        steps.commit()
    steps.create_index(INDEX, "promo_codes (organization_id, campaign_key, id) where campaign_key is not null")


def downgrade() -> None:
    op.execute(f"drop index {INDEX}")
    for table in TABLES:
        op.execute(f"alter table {table} drop column campaign, drop column campaign_key")
