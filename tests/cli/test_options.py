"""Dataclasses as parameters of commands."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from tessera.cli.options.expansion import CommandGroup
from tessera.kit.errors import Invalid, Violation

commands = CommandGroup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    name: Annotated[str | None, typer.Option(help="Another name.")] = None
    exams: Annotated[list[str] | None, typer.Option("--exam", help="An exam.")] = None
    as_json: Annotated[bool, typer.Option("--json")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProgram(Changes):
    name: Annotated[str, typer.Argument(help="The name.")]


@commands.command("update")
def update(changes: Changes, *, days: int = 365) -> None:
    typer.echo(f"{changes} {days}")


@commands.command("create")
def create(code: Annotated[str, typer.Argument()], program: NewProgram) -> None:
    typer.echo(f"{code} {program}")


def output(*arguments: str) -> str:
    done = CliRunner().invoke(commands, arguments)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_each_field_is_an_option_with_its_default() -> None:
    assert output("update") == "Changes(name=None, exams=None, as_json=False) 365"
    arguments = ("--name", "Ada", "--exam", "A", "--exam", "B", "--json", "--days", "1")
    assert output("update", *arguments) == "Changes(name='Ada', exams=['A', 'B'], as_json=True) 1"


def test_a_subclass_can_turn_an_option_into_an_argument() -> None:
    assert output("create", "X", "Ada") == "X NewProgram(name='Ada', exams=None, as_json=False)"


@commands.command("fail")
def fail(changes: Changes, code: Annotated[str, typer.Argument()] = "") -> None:
    raise Invalid([Violation("X", field, "is wrong") for field in ("code", "exams/0", "another", "days")])


def test_violations_name_the_options() -> None:
    error = CliRunner().invoke(commands, ["fail"]).exception
    assert isinstance(error, Invalid)
    assert [violation.field for violation in error.violations] == ["CODE", "--exam", "another", "days"]


def test_json_is_the_last_option_of_the_help() -> None:
    text = output("update", "--help")
    assert sorted(("--name", "--exam", "--days", "--json"), key=text.index) == ["--name", "--exam", "--days", "--json"]
