"""Names that are unique in an organization, whichever of two callers came first."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from tessera.kit.errors import Invalid, Violation


def name_taken(name: str) -> Violation:
    """What is wrong with a name that another one has."""
    return Violation("NameTaken", "name", f"must be unique, and '{name[:60]}' is taken")


@contextmanager
def unique_name(constraint: str, name: str | None) -> Iterator[None]:
    """Raise Invalid where the database refuses a name by this constraint; everything else goes up as it is."""
    try:
        yield
    except IntegrityError as error:
        diagnosis = getattr(error.orig, "diag", None)
        if name is None or diagnosis is None or not str(diagnosis.constraint_name).startswith(constraint):
            raise
        raise Invalid([name_taken(name)]) from error
