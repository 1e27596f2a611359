"""Names without white space around them and composed, and e-mail addresses in the form in which they are compared.

A row whose new name or address is taken stays as it is, and the log names it: somebody has to decide which of the two
to rename.
"""

import logging
from collections.abc import Callable
from unicodedata import normalize

import idna
from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from migrations import steps

revision = "0016"
down_revision = "0015"
compatible_since = "0014"

log = logging.getLogger("alembic.runtime.migration")

Place = tuple[str, str, str, tuple[str, ...]]

# For each table: the column to write, the one to read, and the columns that identify a row.
NAMES: tuple[Place, ...] = (
    ("organizations", "name", "name", ("id",)),
    ("voucher_partners", "name", "name", ("organization_id", "id")),
    ("voucher_programs", "name", "name", ("organization_id", "id")),
    ("store_exams", "name", "name", ("organization_id", "id")),
    ("product_bundles", "name", "name", ("organization_id", "id")),
    ("api_clients", "name", "name", ("organization_id", "id")),
    ("api_keys", "name", "name", ("organization_id", "id")),
)
ADDRESSES: tuple[Place, ...] = (
    ("users", "email", "email", ("organization_id", "id")),
    ("voucher_purchases", "purchased_by_email", "purchased_by_email", ("organization_id", "id")),
    ("vouchers", "recipient_email", "recipient_email", ("organization_id", "id")),
    ("promo_code_email_addresses", "email_key", "email", ("organization_id", "promo_code_id", "email")),
)
IS_FOREIGN = "octet_length({0}) <> char_length({0})"
HAS_WHITE_SPACE = "{0} <> btrim({0}, E' \\t\\n\\v\\f\\r')"


def upgrade() -> None:
    for table, column, source, key in NAMES:
        condition = f"{IS_FOREIGN} or {HAS_WHITE_SPACE}".format(source)
        _rewrite(op.get_bind(), (table, column, source, key), condition, lambda name: normalize("NFC", name).strip())
    for table, column, source, key in ADDRESSES:
        _rewrite(op.get_bind(), (table, column, source, key), IS_FOREIGN.format(source), _address)


def downgrade() -> None:
    """The old spellings are not kept; the new ones are valid in the older version."""


def _rewrite(connection: Connection, place: Place, condition: str, new: Callable[[str], str]) -> None:
    table, column, source, key = place
    columns = ", ".join(dict.fromkeys((*key, column, source)))
    rows = connection.execute(text(f"select {columns} from {table} where {condition}")).mappings().all()
    changes = [(row, new(row[source])) for row in rows if new(row[source]) not in ("", row[column])]
    if not changes:
        return
    is_row = " and ".join(f"{name} = :{name}" for name in key)
    update = text(f"update {table} set {column} = :new where {is_row} and {column} = :old")
    # Forced row-level security lets the owner only read, so it is lifted within this transaction.
    connection.execute(text(f"alter table {table} no force row level security"))
    for row, value in changes:
        try:
            with connection.begin_nested():
                connection.execute(update, {**{name: row[name] for name in key}, "new": value, "old": row[column]})
        except IntegrityError:
            where = ", ".join(f"{name} {row[name]}" for name in key)
            log.warning("%s: %s %r stays as it is, because %r is taken (%s)", table, source, row[source], value, where)
    connection.execute(text(f"alter table {table} force row level security"))
    steps.commit()  # otherwise, this revision would lock all of its tables until its end


def _address(address: str) -> str:
    local, at, domain = address.rpartition("@")
    local = normalize("NFC", normalize("NFD", local).casefold())
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode().lower()}"
    except UnicodeError:
        return f"{local}{at}{normalize('NFC', normalize('NFD', domain).casefold())}"
