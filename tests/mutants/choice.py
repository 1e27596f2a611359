"""The tests that may notice a slip: those that execute its line, the nearest ones first."""

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.nearby import nearness, watchers
from tests.mutants.places import Scope, first_line, place_of_lines
from tests.mutants.slips import Slip, latest_functions

SECONDS_FOR_NEAR, SECONDS_FOR_WIDER = 12, 75  # of tests, as they were measured
REMOTE = 2  # test files whose lines are not measured that run for a survivor
SECONDS_OF_REMOTE = 60  # that such a file is expected to take
QUICK = 1  # seconds of a test that runs among the first of those that are chosen
SLOW = 3  # seconds of a test that is chosen last
DEPTH = 3  # of names that are mentioned by lines that are executed at import only


@dataclass
class Choice:
    """What the tests execute, by the place of each line."""

    seconds: dict[str, float] = field(default_factory=dict)
    tests_at: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    sources: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    remote: list[str] = field(default_factory=list)

    def groups(self, root: Path, slip: Slip) -> tuple[list[str], list[str], list[str]]:
        """The tests to run first, the further ones to run for a survivor, and the nearest files of other processes."""
        tests = self._find(slip)
        files = {name.partition("::")[0] for name in self.seconds}
        near = nearness(root, files, slip.path)
        watching = watchers(files, slip.path, slip.kind)
        always = {name for name in self.seconds if name.partition("::")[0] in watching}
        if not tests:
            best = sorted(files, key=lambda file: -near[file])[:12]
            tests = {name for name in self.seconds if name.partition("::")[0] in best}

        def rank(name: str) -> tuple[bool, bool, float, str]:
            file = name.partition("::")[0]
            is_first = file in watching or file.startswith("tests/unit/")
            return self.seconds[name] > QUICK, not is_first, -near[file], name

        order = self._by_turns(sorted(tests - always, key=rank))
        nearest = self._within(order, SECONDS_FOR_NEAR)
        rest = self._within(order[len(nearest) :], SECONDS_FOR_WIDER)
        near_remote = nearness(root, self.remote, slip.path)
        remote = sorted(filter(near_remote.get, self.remote), key=lambda file: -near_remote[file])[:REMOTE]
        return sorted([*always, *nearest], key=rank), sorted(rest, key=rank), remote

    def expected(self, tests: Sequence[str]) -> float:
        """How many seconds these tests take."""
        return sum(self.seconds.get(name, SECONDS_OF_REMOTE) for name in tests)

    def _by_turns(self, names: Sequence[str]) -> list[str]:
        """The first case of every test, in this order, then the second ones, and so on; slow ones at the end."""
        turns: Counter[str] = Counter()
        keys = {}
        for position, name in enumerate(names):
            test = name.partition("[")[0]
            keys[name] = (self.seconds[name] > SLOW, turns[test], position)
            turns[test] += 1
        return sorted(names, key=keys.__getitem__)

    def _within(self, order: Sequence[str], seconds: float) -> list[str]:
        chosen: list[str] = []
        for name in order:
            if chosen and seconds < self.seconds[name]:
                break
            seconds -= self.seconds[name]
            chosen.append(name)
        return chosen

    def _find(self, slip: Slip) -> set[str]:
        if slip.path.endswith(".sql"):
            return self._tests_of_function(Path(slip.path).parent.name, DEPTH)
        if slip.path not in self.sources:
            return set()
        source = "\n".join(self.sources[slip.path])
        statement = innermost(ast.parse(source), slip.line)
        numbers = range(first_line(statement), end_of_head(statement) + 1)
        if tests := self._tests_on(slip.path, numbers) or self._tests_around(slip.path, slip.line):
            return tests
        return self._tests_at_import(slip.path, statement, DEPTH)

    def _tests_around(self, path: str, line: int) -> set[str]:
        """The tests of the function round a line, which has changed since it was measured."""
        prefix = ":".join(self.places[path][line - 1].split(":", 2)[:2]) + ":"
        if prefix.endswith("::"):  # a line outside functions
            return set()
        numbers = [number for number, place in enumerate(self.places[path], 1) if place.startswith(prefix)]
        return self._tests_on(path, numbers)

    def _tests_on(self, path: str, numbers: Iterable[int]) -> set[str]:
        places = self.places[path]
        return {name for number in numbers for name in self.tests_at.get(places[number - 1], ())}

    def _tests_at_import(self, path: str, statement: ast.stmt, depth: int) -> set[str]:
        """The tests of a statement that is executed at import only: of the body, or of lines that mention its names."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            body = self._tests_on(path, range(statement.body[0].lineno, (statement.end_lineno or 0) + 1))
            if body:
                return body
        if tests := self._tests_of_mentions(path, list(names_of(statement)), depth):
            return tests
        classes = [
            each.name
            for each in ast.walk(ast.parse("\n".join(self.sources[path])))
            if isinstance(each, ast.ClassDef) and each.lineno <= statement.lineno <= (each.end_lineno or 0)
        ]
        return self._tests_of_mentions(path, classes, depth)

    def _tests_of_mentions(self, path: str, names: Sequence[str], depth: int) -> set[str]:
        """The tests of lines that mention these names of a file, and of names that are defined by such lines."""
        if not names or not depth:
            return set()
        mention = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
        tests: set[str] = set()
        for user in self._users(path):
            numbers = [number for number, text in enumerate(self.sources[user], 1) if mention.search(text)]
            found = self._tests_on(user, numbers)
            if not found and numbers and user.endswith(".py"):
                tree = ast.parse("\n".join(self.sources[user]))
                further = {name for number in numbers for name in names_of(innermost(tree, number))} - set(names)
                found = self._tests_of_mentions(user, sorted(further), depth - 1)
            tests |= found
        return tests

    def _users(self, path: str) -> list[str]:
        """The file, and those that import it; all files for SQL."""
        if path.endswith(".sql"):
            return list(self.sources)
        package, _, name = path.removeprefix("src/").removesuffix(".py").replace("/", ".").rpartition(".")
        imports = re.compile(rf"{re.escape(package)}\.{name}\b|from {re.escape(package)} import [^\n]*\b{name}\b")
        return [user for user, texts in self.sources.items() if user == path or imports.search("\n".join(texts))]

    def _tests_of_function(self, function: str, depth: int) -> set[str]:
        """The tests of code that calls an SQL function, by itself or through another function."""
        tests = self._tests_of_mentions(f"{function}.sql", [function], depth)
        if depth and not tests:
            for path, texts in self.sources.items():
                caller = Path(path).parent.name
                if path.endswith(".sql") and caller != function and any(function in text for text in texts):
                    tests |= self._tests_of_function(caller, depth - 1)
        return tests


def load(root: Path, measured: Path, remote: Sequence[str]) -> Choice:
    """The choice among the tests whose measurements are in this directory, and `remote` files of tests."""
    choice = Choice(remote=list(remote))
    for file in sorted((root / "src").rglob("*.py")):
        path = file.relative_to(root).as_posix()
        choice.sources[path] = file.read_text().splitlines()
        choice.places[path] = place_of_lines(file.read_text(), path)
    for file in latest_functions(root):
        path = file.relative_to(root).as_posix()
        choice.sources[path] = file.read_text().splitlines()
        choice.places[path] = [""] * len(choice.sources[path])
    for file in sorted(measured.glob("*.json")):
        content = json.loads(file.read_text())
        names = [name for name, _ in content["tests"]]
        choice.seconds.update(content["tests"])
        for place, digits in content["lines"].items():
            mask = int(digits, 16)
            choice.tests_at[place].update(name for bit, name in enumerate(names) if mask >> bit & 1)
    return choice


def innermost(tree: ast.Module, line: int) -> ast.stmt:
    """The innermost statement on a line."""
    found: ast.stmt = tree.body[0]
    for node in ast.walk(tree):  # from the outside to the inside
        if isinstance(node, ast.stmt) and first_line(node) <= line <= (node.end_lineno or node.lineno):
            found = node
    return found


def end_of_head(statement: ast.stmt) -> int:
    """The last line of a simple statement, or of a compound one before its body."""
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return max(first_line(statement), first_line(body[0]) - 1)
    return statement.end_lineno or statement.lineno


def names_of(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement defines."""
    if isinstance(statement, Scope):
        yield statement.name
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id
