"""Arrays reach the database unchanged, whatever they contain."""

from uuid import UUID

import psycopg
import pytest

from tessera.kit.db.arrays import Binaries, Texts, Uuids

ID = UUID("00000000-0000-7000-8000-0000000000ff")


@pytest.mark.parametrize(
    ("sent", "type_name"),
    [
        (Uuids([]), "uuid[]"),
        (Uuids([ID, None, ID]), "uuid[]"),
        (Texts(["", None, "é€😀", '"{},\\', "NULL", "x" * 100_000]), "text[]"),
        (Binaries([b"", b"\0\xff", None]), "bytea[]"),
    ],
)
def test_an_array_is_read_back_as_it_was_sent(superuser: psycopg.Connection, sent: Texts, type_name: str) -> None:
    row = superuser.execute("select %s, pg_typeof(%s)::text", [sent, sent]).fetchone()
    assert row == (list(sent.items), type_name)
