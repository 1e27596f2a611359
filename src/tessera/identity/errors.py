"""Facts that more than one kind of caller's management has to tell."""

from tessera.kit.errors import Invalid, Violation


class NameTaken(Invalid):
    """Another one has this name."""

    def __init__(self, field: str, name: str) -> None:
        super().__init__([Violation("NameTaken", field, f"is taken: {name}")])
