"""Retention of redemptions and of failed jobs."""

from alembic import op

from migrations import functions, steps, tenancy

revision = "0043"
down_revision = "0042"
compatible_since = "0014"

PERIODS = "retention_settings_periods_check"
CHECK = """
candidates_after_days between 1 and 3660 and tokens_after_days between 1 and 3660
and audit_after_months between 1 and 120 and redemptions_after_months between 1 and 120
and failed_jobs_after_days between 1 and 3660
"""
TOTALS = """
create table dropped_totals (
    organization_id uuid not null,
    dimension text not null,
    key text not null,
    day date not null,
    redeemed integer not null,
    cancelled integer not null,
    discount numeric(24, 2) not null,
    constraint dropped_totals_pk primary key (organization_id, dimension, key, day),
    constraint dropped_totals_dimension_check check (dimension in ('day', 'code', 'storeExam', 'partner')),
    constraint dropped_totals_counts_check check (redeemed >= 0 and cancelled >= 0)
)
"""
USES = """
create table dropped_uses (
    organization_id uuid not null,
    owner_id uuid not null,
    used_id uuid not null,
    redeemed integer not null,
    constraint dropped_uses_pk primary key (organization_id, owner_id, used_id)
)
"""
OF_GLOBAL_CODES = "dropped_uses (used_id) where owner_id = '00000000-0000-0000-0000-000000000000'"
# Only what may be dropped, in the order in which it is.
CLOSED = "redemptions (organization_id, updated_at, id) where status in ('Released', 'Expired', 'Cancelled')"
ENDED = """
reservations (organization_id, updated_at, id)
where status in ('Completed', 'NoShow', 'Cancelled') and anonymised_at is not null
"""
ENDED_JOBS = """
procrastinate_jobs ((args ->> 'organization_id'), id) where status in ('failed', 'cancelled', 'aborted')
"""
INDEXES = {
    "redemptions_to_drop_index": CLOSED,
    "reservations_to_drop_index": ENDED,
    "ended_jobs_by_organization_index": ENDED_JOBS,
}
# What the function locks and deletes.
POLICIES = {
    "reservations": ("owner_locks", "update"),
    "report_marks": ("owner_locks", "update"),
    "record_metadata": ("owner_deletes", "delete"),
}
# The new version of each function, and the one before.
REPLACED = {
    "recount_promo_codes": (3, 2),
    "sum_ledger_by_organization": (3, 2),
    "sum_ledger_of_global_codes": (3, 2),
}


def upgrade() -> None:
    for name, definition in INDEXES.items():
        steps.create_index(name, definition)
    for table, (policy, command) in POLICIES.items():
        # Policies of these names exist only if this revision is applied again.
        op.execute(f"drop policy if exists {policy} on {table}")
        op.execute(f"create policy {policy} on {table} for {command} to tessera_owner using (true)")
        steps.commit()
    for table, definition in (("dropped_totals", TOTALS), ("dropped_uses", USES)):
        op.execute(definition)
        tenancy.lock(table, grants="select, insert")
        tenancy.close_to_partners(table)
        # The application adds rows when it imports an organization; the function adds to them.
        op.execute(f"create policy owner_adds on {table} to tessera_owner using (true)")
    op.execute(f"create index dropped_uses_of_global_codes_index on {OF_GLOBAL_CODES}")
    # One row for each organization that has periods.
    op.execute(
        "-- squawk-ignore ban-drop-constraint, constraint-missing-not-valid\n"
        "alter table retention_settings add column redemptions_after_months integer,"
        " add column failed_jobs_after_days integer,"
        f" drop constraint {PERIODS}, add constraint {PERIODS} check ({CHECK})"
    )
    # It returns other columns. No release has called the first version.
    op.execute("-- squawk-ignore ban-drop-function\ndrop function list_retention_settings()")
    functions.install("list_retention_settings", 2)
    functions.install("drop_redemptions", 1)
    for name, (version, _) in REPLACED.items():
        functions.install(name, version)


def downgrade() -> None:
    for name, (_, version) in REPLACED.items():
        functions.install(name, version)
    op.execute("drop function drop_redemptions(timestamptz, integer)")
    op.execute("drop function list_retention_settings()")
    functions.install("list_retention_settings", 1)
    op.execute(
        f"alter table retention_settings drop constraint {PERIODS}, drop column redemptions_after_months,"
        f" drop column failed_jobs_after_days, add constraint {PERIODS} check ("
        "candidates_after_days between 1 and 3660 and tokens_after_days between 1 and 3660"
        " and audit_after_months between 1 and 120)"
    )
    for table, (policy, _) in POLICIES.items():
        op.execute(f"drop policy {policy} on {table}")
    for name in INDEXES:
        op.execute(f"drop index {name}")
    op.execute("drop table dropped_uses, dropped_totals")
