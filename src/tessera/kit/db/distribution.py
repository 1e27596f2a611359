"""The distribution of the tables over the nodes of Citus, so that all rows of an organization are on one node."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

# Foreign keys refer to the organizations from everywhere, so every node has a copy of that small table. Tables of jobs,
# which belong to no organization, stay on the coordinator.
_REFERENCE_TABLE = "organizations"
_HAS_CITUS = "select exists (select from pg_extension where extname = 'citus')"
_TENANT_TABLES = """
select c.relname, exists (select from pg_dist_partition d where d.logicalrelid = c.oid) as is_distributed
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
order by c.relname
"""
# A distributed table and a local one cannot refer to each other, so no order of the tables would do with these keys.
_FOREIGN_KEYS = """
select k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid) from pg_constraint k
where k.contype = 'f' and k.connamespace = 'public'::regnamespace and k.conrelid::regclass::text = any (:tables)
order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The numbers of tables that were distributed now, and of those that were distributed before."""

    tables: int
    earlier_tables: int


def is_possible(connection: Connection) -> bool:
    """Whether the database has the extension."""
    return bool(connection.scalar(text(_HAS_CITUS)))


def distribute(connection: Connection, *, first: Sequence[str], always: Sequence[str]) -> Distribution:
    """Distribute those tables of tenants that are not distributed yet, with their rows, as their owner.

    The scripts change the schema for several nodes: the first ones before the first distribution, the others each time.
    """
    # One connection for each node, because the tables have foreign keys to a reference table.
    connection.execute(text("set local citus.multi_shard_modify_mode = 'sequential'"))
    is_distributed: dict[str, bool] = dict(map(tuple, connection.execute(text(_TENANT_TABLES))))
    tables = [name for name, done in is_distributed.items() if not done]
    earlier = [name for name, done in is_distributed.items() if done]
    foreign_keys = connection.execute(text(_FOREIGN_KEYS), {"tables": tables}).all()
    for table, name, _ in foreign_keys:
        connection.execute(text(f"alter table {table} drop constraint {name}"))
    for script in (*(() if earlier else first), *always):
        connection.exec_driver_sql(script)
    if not earlier:
        _move(connection, _REFERENCE_TABLE, "create_reference_table(:name)")
    for table in tables:
        first = (*earlier, *tables)[0]
        colocation = "none" if table == first else first
        _move(connection, table, f"create_distributed_table(:name, 'organization_id', colocate_with => '{colocation}')")
    for table, name, definition in foreign_keys:
        connection.execute(text(f"alter table {table} add constraint {name} {definition}"))
    return Distribution(len(tables), len(earlier))


def _move(connection: Connection, table: str, call: str) -> None:
    # Forced row-level security would hide the rows from the owner, who copies them.
    connection.execute(text(f"alter table {table} no force row level security"))
    connection.execute(text(f"select {call}"), {"name": table})
    connection.execute(text(f"alter table {table} force row level security"))
