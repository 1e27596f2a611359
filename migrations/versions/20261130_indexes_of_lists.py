"""Lists of users by partner, tokens by user, bundles by exam and archived purchases have indexes in their order."""

from alembic import op

from migrations import steps

revision = "0048"
down_revision = "0047"
compatible_since = "0014"


def upgrade() -> None:
    steps.create_index("users_by_partner_index", "users (organization_id, partner_id, id) where partner_id is not null")
    steps.create_index("issued_tokens_by_user_index", "issued_tokens (organization_id, user_id, id)")
    steps.create_index("voucher_purchases_archived_index", "voucher_purchases (organization_id, id) where is_archived")
    steps.create_index(
        "product_bundle_store_exams_by_store_exam_index",
        "product_bundle_store_exams (organization_id, store_exam_id, product_bundle_id)",
    )
    steps.drop_index("product_bundle_store_exams_organization_id_store_exam_id_index")
    steps.drop_index("users_organization_id_partner_id_index")
    steps.drop_index("issued_tokens_organization_id_user_id_index")


def downgrade() -> None:
    op.execute(
        "create index users_organization_id_partner_id_index on users (organization_id, partner_id)"
        " where partner_id is not null"
    )
    op.execute("create index issued_tokens_organization_id_user_id_index on issued_tokens (organization_id, user_id)")
    op.execute(
        "create index product_bundle_store_exams_organization_id_store_exam_id_index"
        " on product_bundle_store_exams (organization_id, store_exam_id)"
    )
    op.execute("drop index product_bundle_store_exams_by_store_exam_index")
    op.execute("drop index voucher_purchases_archived_index")
    op.execute("drop index issued_tokens_by_user_index")
    op.execute("drop index users_by_partner_index")
