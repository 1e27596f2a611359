"""Arrays in Postgres's binary format: the driver's own conversion would take as long as the query itself."""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Generic, TypeVar
from uuid import UUID

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

Item = TypeVar("Item")

# The number of dimensions, a flag for nulls, the type of the items, their count, and the index of the first one.
_HEADER = Struct("!iiIii")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)


class _Array(Generic[Item]):
    """Values of one array parameter; None becomes null."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Item | None]) -> None:
        self.items = items


class Uuids(_Array[UUID]):
    """A `uuid[]`."""


class Texts(_Array[str]):
    """A `text[]`."""


class Binaries(_Array[bytes]):
    """A `bytea[]`."""


def _register(kind: type[_Array[Item]], type_name: str, encode: Callable[[Item], bytes]) -> None:
    info = psycopg.adapters.types[type_name]

    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = info.array_oid

        def dump(self, obj: _Array[Item]) -> Buffer:
            chunks, has_null = [b""], 0
            for item in obj.items:
                if item is None:
                    chunks.append(_NULL)
                    has_null = 1
                else:
                    encoded = encode(item)
                    chunks += (_LENGTH.pack(len(encoded)), encoded)
            chunks[0] = _HEADER.pack(1, has_null, info.oid, len(obj.items), 1)
            return b"".join(chunks)

    psycopg.adapters.register_dumper(kind, ArrayDumper)


_register(Uuids, "uuid", lambda value: value.bytes)
_register(Texts, "text", str.encode)
_register(Binaries, "bytea", bytes)
