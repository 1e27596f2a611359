"""Promo codes that can be used from a time on."""

from alembic import op

from migrations import functions, steps

revision = "0022"
down_revision = "0021"
compatible_since = "0014"

# The result of each function has one more column. Only processes of unreleased versions call the versions before.
DROP_FUNCTIONS = (
    "drop function look_up_promo_codes(text[], uuid[], uuid[], text[], text[], timestamptz)",
    "drop function validate_promo_codes(uuid[], uuid[], text[], uuid[], bytea[], inet[], timestamptz)",
)
CHECK = "promo_codes_starts_at_check"


def upgrade() -> None:
    # A constraint of this name exists only if this revision is applied again.
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"
        f"alter table promo_codes add column if not exists starts_at timestamptz, drop constraint if exists {CHECK},"
        f" add constraint {CHECK} check (starts_at < expires_at) not valid"
    )
    steps.commit()
    op.execute("alter table promo_code_batches add column if not exists starts_at timestamptz")
    steps.commit()
    # Reads all rows without a lock that blocks writers.
    op.execute(f"alter table promo_codes validate constraint {CHECK}")
    steps.commit()
    _drop_functions()
    functions.install("look_up_promo_codes", 2)
    functions.install("validate_promo_codes", 2)


def downgrade() -> None:
    _drop_functions()
    functions.install("look_up_promo_codes", 1)
    functions.install("validate_promo_codes", 1)
    op.execute("alter table promo_code_batches drop column starts_at")
    op.execute("alter table promo_codes drop column starts_at")


def _drop_functions() -> None:
    for statement in DROP_FUNCTIONS:
        op.execute(f"-- squawk-ignore ban-drop-function\n{statement}")
