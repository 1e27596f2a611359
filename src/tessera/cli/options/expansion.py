"""Options of commands as fields of dataclasses, so that no command has more than a few parameters."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

import typer
from typer.models import ArgumentInfo, OptionInfo

from tessera.kit.errors import Invalid


class CommandGroup(typer.Typer):
    """Commands whose parameters may be dataclasses: each field is an option or an argument of the command."""

    def __init__(self) -> None:
        super().__init__(no_args_is_help=True, rich_markup_mode=None)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - as in typer
        """Add a command; see `expand_options`."""
        register = super().command(name, **settings)
        return lambda function: register(expand_options(function))


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose signature, which typer reads, has fields in place of its dataclass parameters.

    The default of a field is the default of its option. `--json` comes last. Violations of a domain field name the
    option whose parameter has the name of that field.
    """
    parameters = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {item.name: item.annotation for item in parameters if is_dataclass(item.annotation)}

    options = [option for parameter in parameters for option in _expand(parameter)]
    options.sort(key=lambda option: option.name == "as_json")
    labels = {option.name: _label(option) for option in options}

    @functools.wraps(command)
    def call(**values: Any) -> None:  # noqa: ANN401 - the types of the options
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        try:
            command(**values)
        except Invalid as error:
            raise _with_option_names(error, labels) from error

    call.__dict__["__signature__"] = inspect.Signature(options)
    return call


def _label(parameter: inspect.Parameter) -> str:
    """The name of an option or of an argument in the help."""
    for info in getattr(parameter.annotation, "__metadata__", ()):
        if isinstance(info, ArgumentInfo):
            return info.metavar or parameter.name.upper()
        # Typer keeps the first name where a default would be, because here the default is outside of the annotation.
        if isinstance(info, OptionInfo) and isinstance(info.default, str):
            return info.default.partition("/")[0]
    return f"--{parameter.name.replace('_', '-')}"


def _with_option_names(error: Invalid, labels: Mapping[str, str]) -> Invalid:
    violations = []
    for violation in error.violations:
        # "store_exam_codes/0" is the first exam.
        name = violation.field.partition("/")[0]
        violations.append(replace(violation, field=labels.get(name, violation.field)))
    return Invalid(violations)


def _expand(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    if not is_dataclass(parameter.annotation):
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    for field in fields(parameter.annotation):
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        yield inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.type)
