"""Violations of unique constraints as domain errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError

from tessera.kit.errors import DomainError


@contextmanager
def raising(error: DomainError) -> Iterator[None]:
    """Raise `error` if a statement violates a unique constraint; other database errors pass unchanged.

    The block has one statement, which can violate only one such constraint: a distributed engine does not name it.
    """
    try:
        yield
    except IntegrityError as violation:
        if not isinstance(violation.orig, UniqueViolation):
            raise
        raise error from violation
