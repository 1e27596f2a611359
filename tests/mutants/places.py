"""Places in a source file, which stay the same when lines above them come or go."""

import ast
import hashlib
from pathlib import Path

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def place_of_lines(source: str, path: str) -> list[str]:
    """The place of each line: the path, the names of the scopes round the line, and its text."""
    texts = source.splitlines()
    scopes = [""] * len(texts)

    def visit(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = f"{name}.{child.name}" if isinstance(child, Scope) else name
            if isinstance(child, Scope):
                scopes[first_line(child) - 1 : child.end_lineno] = [inner] * (
                    (child.end_lineno or child.lineno) - first_line(child) + 1
                )
            visit(child, inner)

    visit(ast.parse(source), "")
    return [f"{path}:{scope}:{text.strip()}" for scope, text in zip(scopes, texts, strict=True)]


def first_line(statement: ast.stmt) -> int:
    """The first line of a statement, with its decorators."""
    decorators = statement.decorator_list if isinstance(statement, Scope) else []
    return min([statement.lineno, *(each.lineno for each in decorators)])


def measurement_of(test: Path, directory: Path) -> Path:
    """The file with what the tests in a file execute; a changed test file has another one."""
    digest = hashlib.sha256(test.read_bytes()).hexdigest()[:12]
    return directory / f"{test.as_posix().replace('/', '+')}-{digest}.json"
