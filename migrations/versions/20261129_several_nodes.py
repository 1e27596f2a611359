"""Functions that can act as their caller, and the column for policies that a distributed table can have.

On one Postgres the functions keep the owner's rights and the policies their sub-selects, because the others take more time: a
look-up a sixth, a long list twice as much. `tessera distribute` gives functions the rights of their caller, and replaces policies.
The last release goes on with the new versions of its functions, and does not write the column.
"""

from alembic import op

from migrations import functions, steps

revision = "0040"
down_revision = "0039"
compatible_since = "0014"

# No policy reads the column before `tessera distribute` fills it.
WITH_VISIBILITY = (
    "voucher_programs",
    "voucher_program_discounts",
    "voucher_program_store_exams",
    "voucher_program_email_domains",
)
# The new version of each function, and the one before.
REPLACED = {
    "lock_promo_codes": (4, 3),
    "count_promo_code_uses": (3, 2),
    "find_promo_code_shares": (2, 1),
    "recount_promo_codes": (2, 1),
    "look_up_promo_codes": (3, 2),
    "list_lapsed_holds": (4, 3),
    "list_overdue_checkouts": (2, 1),
    "list_unfinished_purchases": (2, 1),
    "sum_ledger_by_organization": (2, 1),
    "sum_ledger_of_global_codes": (2, 1),
}
# The version and the arguments of each new function.
ADDED = {
    "expire_lapsed_holds": (1, "uuid, timestamptz"),
    "sum_holds_of_global_code": (1, "uuid, timestamptz"),
    "lock_limited_promo_codes": (1, "uuid[], timestamptz"),
    "look_up_global_promo_code": (1, "text, uuid, uuid, text, text, timestamptz"),
}


def upgrade() -> None:
    for table in WITH_VISIBILITY:
        op.execute(f"alter table {table} add column if not exists visible_to uuid[]")
        steps.commit()
    for name, (version, _) in ADDED.items():
        functions.install(name, version)
    for name, (version, _) in REPLACED.items():
        functions.install(name, version)


def downgrade() -> None:
    for name, (_, version) in REPLACED.items():
        functions.install(name, version)
    for name, (_, arguments) in ADDED.items():
        op.execute(f"drop function {name}({arguments})")
    for table in WITH_VISIBILITY:
        op.execute(f"alter table {table} drop column visible_to")
