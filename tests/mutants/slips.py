"""The slips that can be planted: small changes of Python and of SQL, as a tired engineer makes them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.changes import COMPARISONS, changes_of, options_of

# Demonstration data, documentation, and the start of processes, which tests of whole servers cover.
EXCLUDED = (
    "demo/", "cli/", "kit/embedded_postgres/", "/documentation.py", "/schemas/", "/docs.py", "settings.py", "/main.py",
    "/worker.py", "/provision.py", "tessera/schema.py", "kit/sockets.py", "kit/logging.py", "serving/server.py",
)  # fmt: skip
# Files whose numbers are limits and sizes that behaviour shows.
RULES = ("rules.py", "tables.py", "schemas.py")
# In SQL text: a pattern, its replacement, and what the slip is.
SQL_SLIPS = (
    (r"[\w.]*\borganization_id = (?:%\(organization_id\)s(?:::uuid)?|own\b|[\w.]+\.organization_id)", "true", "tenant"),
    (r"[\w.]*\borganization_id in \(own, platform\)", "true", "tenant"),
    (r"current_setting\('app\.organization_id', true\) = '0{8}-[0-]+'", "true", "tenant"),
    (r"(?<=\w )<=(?= )", "<", "boundary"),
    (r"(?<=\w )<(?= )", "<=", "boundary"),
    (r"(?<=\w )>=(?= )", ">", "boundary"),
    (r"(?<=\w )>(?= )", ">=", "boundary"),
    (r" for (?:no key )?update\b", "", "lock"),
    (r"\bstatus = '(\w+)'", r"status <> '\1'", "condition"),
    (r"\border by (\w[\w.]*)(?=\s*(?:$|\n|limit|for))", r"order by \1 desc", "order"),
    (r" desc\b", "", "order"),
    (r"\bis null\b", "is not null", "condition"),
    (r"\bis not null\b", "is null", "condition"),
    (r"\bnot exists\b", "exists", "condition"),
    (r"\bleast\(", "greatest(", "number"),
    (r"\bgreatest\(", "least(", "number"),
    (
        r"\n +and (?:(?!organization_id)[^\n()]|\([^\n()]*\))+(?=\n +(?:and|order|group|limit|for|returning)\b|;)",
        "",
        "filter",
    ),
)
SQL = re.compile(r"\b(?:select|insert into|update|delete from)\b", re.IGNORECASE)
POLICY_SLIPS = (
    (r" for select to tessera_owner", " to tessera_owner", "policy"),
    (r"\(\"insert\", \"update\", \"delete\"\)", '("insert", "update")', "policy"),
    (r"\(\"select\", \"update\", \"delete\"\)", '("select", "update")', "policy"),
    (r"\(\(\"insert\", \"with check\"\), ", "(", "policy"),
    (r"as restrictive", "as permissive", "policy"),
)


@dataclass(frozen=True)
class Slip:
    """A replacement of one piece of a file, whose path is relative to the project."""

    path: str
    line: int
    start: int
    end: int
    text: str
    kind: str
    layer: str
    was: str

    def __str__(self) -> str:
        old, new = (re.sub(r"\s+", " ", text).strip() for text in (self.was, self.text))
        first = next((place for place, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), 0)
        common = max(0, first - 40)
        return f"{self.kind}: {old[common : common + 70]!r} -> {new[common : common + 70]!r}"

    def plant(self, source: str) -> str:
        """The source with this slip; positions count bytes, as those of the syntax tree do."""
        data = source.encode()
        return (data[: self.start] + self.text.encode() + data[self.end :]).decode()


def find_slips(root: Path) -> list[Slip]:
    """Every slip that can be planted in this project."""
    files = [*served_modules(root / "src"), root / "migrations" / "tenancy.py"]
    slips = [slip for file in sorted(files) if not is_excluded(file) for slip in slips_in_python(root, file)]
    for file in latest_functions(root):
        slips += slips_in_text(root, file, file.read_text(), 0, SQL_SLIPS)
    return slips


def served_modules(sources: Path) -> set[Path]:
    """The files of the modules that a server or a worker imports; tests of whole commands cover all others."""
    waiting = [sources / "tessera" / "main.py", sources / "tessera" / "worker.py"]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in found or not file.exists():
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = sources / node.module.replace(".", "/")
                waiting += [module.with_suffix(".py"), *(module / f"{alias.name}.py" for alias in node.names)]
    return found


def latest_functions(root: Path) -> Iterator[Path]:
    """The files of the latest versions of all SQL functions that this release calls; others are for the last one."""
    latest: dict[str, Path] = {}
    for file in sorted((root / "migrations" / "functions").glob("*/v*.sql"), key=lambda file: int(file.stem[1:])):
        latest[file.parent.name] = file
    callers = [file.read_text() for file in [*(root / "src").rglob("*.py"), *latest.values()]]
    for name, file in sorted(latest.items()):
        if sum(name in text for text in callers) > 1 or "returns trigger" in file.read_text():
            yield file


def is_excluded(file: Path) -> bool:
    return any(part in file.as_posix() for part in EXCLUDED)


def slips_in_python(root: Path, file: Path) -> Iterator[Slip]:
    source = file.read_text()
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    path = file.relative_to(root).as_posix()
    if path == "migrations/tenancy.py":
        yield from slips_in_text(root, file, source, 0, POLICY_SLIPS)
        return
    data = source.encode()
    tree = ast.parse(source)
    excluded: set[ast.AST] = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and is_prose(node)}
    excluded |= documentation_of(tree)
    if not path.endswith(RULES):
        excluded |= settings_of(tree)
    options = set() if path.endswith("tables.py") else options_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt) and node not in excluded:
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            was = data[start:end].decode()
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
                yield from slips_in_text(root, file, source, start, SQL_SLIPS, until=end)
            for text, kind in changes_of(node, was, is_option=node in options):
                yield Slip(path, node.lineno, start, end, text, kind, layer_of(path, kind, was), was)


def is_prose(statement: ast.Expr) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(statement.value, ast.Constant)


def settings_of(tree: ast.Module) -> set[ast.AST]:
    """The numbers outside functions and those that are defaults or keywords, and comparisons with such.

    In files other than RULES, these are sizes of pages and of batches, pauses and the like, whose exact values no
    behaviour shows, or statuses of the document.
    """
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    in_bodies = {node for function in functions for part in function.body for node in ast.walk(part)}
    nodes = set(ast.walk(tree)) - in_bodies
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "status_code":
            nodes -= set(ast.walk(node))
        elif isinstance(node, ast.keyword | ast.arguments):
            nodes |= set(ast.walk(node))
    numbers = {node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, int)}
    return numbers | {node for node in ast.walk(tree) if isinstance(node, ast.Compare) and is_about_setting(node)}


def is_about_setting(comparison: ast.Compare) -> bool:
    """Whether a value is compared by size with a constant, or a span of real time with its limit."""
    nodes = list(ast.walk(comparison))
    names = [each.id for each in nodes if isinstance(each, ast.Name)]
    names += [each.attr for each in nodes if isinstance(each, ast.Attribute)]
    is_by_size = type(comparison.ops[0]) in COMPARISONS
    return is_by_size and any(name.isupper() or name.endswith(("seconds", "monotonic")) for name in names)


def documentation_of(tree: ast.Module) -> set[ast.AST]:
    """What only describes the API in its document, which tests compare whole."""
    nodes: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="responses" | "json_schema_extra" | "examples" | "openapi_extra"):
                nodes |= set(ast.walk(node))
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name.lstrip("_").startswith(
                ("documented", "example")
            ):
                nodes |= set(ast.walk(node))
            case ast.Dict():
                nodes |= {key for key in node.keys if isinstance(key, ast.Constant)}
    return nodes


def slips_in_text(
    root: Path, file: Path, source: str, start: int, slips: tuple[tuple[str, str, str], ...], until: int | None = None
) -> Iterator[Slip]:
    """The slips in a piece of SQL, whose position in the file is in bytes."""
    data = source.encode()
    text = data[start:until].decode()
    path = file.relative_to(root).as_posix()
    for pattern, replacement, kind in slips:
        for found in re.finditer(pattern, text, re.IGNORECASE):
            begin = start + len(text[: found.start()].encode())
            line = data[:begin].count(b"\n") + 1
            new = found.expand(replacement)
            yield Slip(
                path, line, begin, begin + len(found[0].encode()), new, kind, layer_of(path, kind, found[0]), found[0]
            )


def layer_of(path: str, kind: str, was: str) -> str:
    """The layer of a slip: by its kind, or else by the place of the file."""
    if kind in ("tenant", "policy"):
        return "tenancy"
    if kind == "right" or "/identity/" in path:
        return "rights"
    if kind == "audit" or "/audit/" in path:
        return "audit"
    if path.endswith("jobs.py"):
        return "retries"
    if "/api/" in path or path.endswith(("batching.py", "/errors.py")):
        return "answers"
    if path.endswith("rules.py") or "uses/" in path or "max_" in was:
        return "limits"
    if kind == "boundary":
        return "boundaries"
    return "queries" if path.endswith(("repository.py", ".sql")) or "/db/" in path else "services"
