"""The pages of the guide agree with the code, and links of other documents lead somewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera.api.error_rendering.codes import CERTIVERSE_ERROR, OAUTH_ERROR, PROBLEM_TYPE, URN
from tessera.api.http.enumerations import Enumeration
from tessera.api.http.parsing import IMPORTS, VOUCHER_IMPORTS
from tessera.api.vocabulary import FUNCTION_POINT, REASON, REDEMPTION_STATUS
from tessera.settings import Settings

ROOT = Path(__file__).parents[2]
EMPTY: tuple[object, ...] = (None, (), {})
PAGES = {page.name: page.read_text() for page in (ROOT / "docs").glob("*.md")}


def section(page: str, title: str) -> list[list[str]]:
    """The cells of the rows of the table in this section, without its heading."""
    _, _, text = PAGES[page].partition(f"## {title}\n")
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@pytest.mark.parametrize(
    ("page", "title", "enumeration", "column"),
    [
        ("errors.md", "Certiverse APIs", CERTIVERSE_ERROR, 2),
        ("errors.md", "Token endpoint", OAUTH_ERROR, 2),
        ("errors.md", "Storefront and management APIs", PROBLEM_TYPE, 2),
        ("errors.md", "Reasons", REASON, 1),
        ("integrator.md", "Function points", FUNCTION_POINT, 1),
        ("storefront.md", "Statuses", REDEMPTION_STATUS, 1),
    ],
)
def test_a_table_has_every_value_with_its_meaning(page: str, title: str, enumeration: Enumeration, column: int) -> None:
    rows = {row[0].strip("`"): row[column] for row in section(page, title)}
    assert rows == {str(value).removeprefix(URN): meaning for value, meaning in enumeration.meanings.items()}


def documented_defaults() -> Iterator[tuple[str, str]]:
    """The variables in the first column of all tables, each with the default in the second column."""
    for page in PAGES.values():
        for names, defaults in re.findall(r"^\| (`(?:TESSERA_|PORT)[^|]*) \| ([^|]*) \|", page, re.MULTILINE):
            yield from zip(re.findall(r"`(\w+)`", names), defaults.replace("`", "").split(", "), strict=True)


def test_settings_are_documented_with_their_defaults() -> None:
    fields = Settings.model_fields.items()
    defaults = {"PORT" if name == "port" else f"TESSERA_{name.upper()}": field.default for name, field in fields}
    documented = list(documented_defaults())
    assert {name for name, _ in documented} == set(defaults)
    # A default in words, such as "none", says what happens without a value.
    values = {name: json.dumps(value, default=str).strip('"') for name, value in defaults.items() if value not in EMPTY}
    assert [(name, text, values[name]) for name, text in documented if text != values.get(name, text)] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_between_documents_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.mark.parametrize("name", ["nginx-tessera.conf", "haproxy-tessera.cfg"])
@pytest.mark.parametrize("path", [IMPORTS, VOUCHER_IMPORTS])
def test_the_proxies_give_every_import_the_time_of_a_file(name: str, path: str) -> None:
    patterns = re.findall(r"\^/management/\S+", (ROOT / "docs" / "files" / name).read_text())
    assert any(re.search(pattern, path) for pattern in patterns)


def test_the_start_page_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)", PAGES["index.md"]))
    assert PAGES.keys() - linked == {"index.md"}


@pytest.mark.parametrize("directory", ["src/tessera", "tests"])
def test_the_layout_has_every_package(directory: str) -> None:
    _, layout, *_ = PAGES["contributor.md"].split("```")
    packages = {path.name for path in (ROOT / directory).iterdir() if (path / "__init__.py").is_file()}
    assert packages - set(re.findall(r"\w+", layout)) == set()
