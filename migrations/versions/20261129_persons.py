"""The records about a person are found by indexes."""

from alembic import op

from migrations import functions, steps

revision = "0033"
down_revision = "0032"
compatible_since = "0014"

BY_EMAIL = 'redemptions (organization_id, lower(email collate "C")) where email is not null'
BY_CANDIDATE = "vouchers (organization_id, used_by_person_id, partner_id, id) where used_by_person_id is not null"


def upgrade() -> None:
    steps.create_index("redemptions_by_email_index", BY_EMAIL)
    steps.create_index("vouchers_by_candidate_index", BY_CANDIDATE)
    functions.install("find_persons", 1)


def downgrade() -> None:
    op.execute("drop function find_persons(text[], text[])")
    op.execute("drop index vouchers_by_candidate_index")
    op.execute("drop index redemptions_by_email_index")
