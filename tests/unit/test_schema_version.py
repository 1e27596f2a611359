"""Which code can use the schema of which version."""

import pytest

from tessera.kit.db.schema_version import SchemaVersion


@pytest.mark.parametrize(
    ("revision", "compatible_since", "serves"),
    [
        ("0020", "0014", True),
        ("0019", "0014", False),
        (None, None, False),
        ("0021", "0014", True),
        ("0021", "0020", True),
        ("0021", "0021", False),
        ("0021", None, False),
    ],
)
def test_code_can_use_its_own_schema_and_newer_ones_that_name_it(
    revision: str | None, compatible_since: str | None, *, serves: bool
) -> None:
    assert SchemaVersion(revision, compatible_since).serves("0020") is serves
