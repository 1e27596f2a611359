"""The tables and functions of the job queue."""

from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy import text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # The schema of the installed release of procrastinate; a release with another schema needs a new revision.
    # The backslashes prevent text() from parsing colons as parameters.
    op.execute(text(SchemaManager.get_schema().replace(":", "\\:")))
    op.execute(
        "grant select, insert, update, delete on procrastinate_jobs, procrastinate_workers,"
        " procrastinate_periodic_defers, procrastinate_events to tessera_app"
    )
    op.execute("grant usage on all sequences in schema public to tessera_app")


def downgrade() -> None:
    op.execute(
        "drop table procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers cascade"
    )
    op.execute(
        "do $$ declare r record; begin"
        " for r in select oid::regprocedure as f from pg_proc where proname like 'procrastinate_%' loop"
        "   execute 'drop function ' || r.f || ' cascade'; end loop;"
        " for r in select oid::regtype as t from pg_type where typname like 'procrastinate_%' and typtype in ('c', 'e') loop"
        "   execute 'drop type ' || r.t || ' cascade'; end loop; end $$"
    )
