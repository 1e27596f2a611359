"""Domain errors that several kinds of callers share."""

from tessera.kit.errors import Invalid, Violation


class NameTaken(Invalid):
    """Another record has this name."""

    def __init__(self, field: str, name: str) -> None:
        super().__init__([Violation("NameTaken", field, f"is taken: {name}")])
