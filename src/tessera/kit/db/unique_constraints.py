"""Violations of unique constraints as domain errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from tessera.kit.errors import DomainError


@contextmanager
def raising(error: DomainError, *, constraint: str) -> Iterator[None]:
    """Raise `error` if a statement violates this unique constraint; other database errors pass unchanged."""
    try:
        yield
    except IntegrityError as violation:
        diagnosis = getattr(violation.orig, "diag", None)
        # The constraint of a partition has the name of the table's constraint and a suffix.
        if diagnosis is None or not str(diagnosis.constraint_name).startswith(constraint):
            raise
        raise error from violation
