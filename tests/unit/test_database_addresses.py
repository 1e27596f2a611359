import pytest

from tessera.kit.db.engine import with_driver
from tessera.settings import Settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://ann:se%2Ccret@one/shop", {"host": "one", "user": "ann", "password": "se,cret", "dbname": "shop"}),
        (
            "postgresql://ann@one,two/shop?target_session_attrs=read-write",
            {
                "host": "one,two",
                "port": "5432,5432",
                "user": "ann",
                "dbname": "shop",
                "target_session_attrs": "read-write",
            },
        ),
        ("postgresql://one:1,[::2]:2,three/shop", {"host": "one,::2,three", "port": "1,2,5432", "dbname": "shop"}),
        ("postgresql://one,two?dbname=shop", {"host": "one,two", "port": "5432,5432", "dbname": "shop"}),
        ("postgresql:///shop?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "shop"}),
    ],
)
def test_an_address_is_read_as_libpq_reads_it(text: str, expected: dict[str, str]) -> None:
    address = with_driver(text)
    assert address.get_dialect()().create_connect_args(address) == ([], expected)
    assert Settings(database_url=text).database_url == text


@pytest.mark.parametrize("text", ["postgresql://one:1,two:x/shop", "postgresql://one,two:0/shop", "http://one/shop"])
def test_an_address_with_a_bad_port_or_scheme_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be postgresql://"):
        Settings(database_url=text)
