"""Files with settings, besides the environment: `.env`, a directory of secrets and a TOML file."""

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    TomlConfigSettingsSource,
)

PREFIX = "TESSERA_"
ENV_FILE = Path(".env")
# These say where the other settings are, so neither the TOML file nor a secret can contain them.
LOCATIONS = ("config", "secrets_dir")


def file_sources(settings_class: type[BaseSettings]) -> Iterator[PydanticBaseSettingsSource]:
    """The directory of secrets and the TOML file, if the environment or `.env` names them; the first has precedence."""
    if directory := _location("secrets_dir"):
        yield SecretsSettingsSource(settings_class, secrets_dir=directory)
    if path := _location("config"):
        yield TomlConfigSettingsSource(settings_class, toml_file=path)


def unreadable() -> Iterator[str]:
    """A line for each file with settings that cannot be read."""
    try:
        dotenv_values(ENV_FILE)
    except (OSError, ValueError) as error:
        yield f"{ENV_FILE}: {error}"
        return
    if (directory := _location("secrets_dir")) and not os.access(directory, os.R_OK | os.X_OK):
        yield f"{PREFIX}SECRETS_DIR: {directory} is not a directory that can be read"
    try:
        _read_toml()
    except (OSError, ValueError) as error:
        yield f"{PREFIX}CONFIG: {getattr(error, 'strerror', None) or error}: {_location('config')}"


def unknown(known: Collection[str]) -> Iterator[str]:
    """A line for each name in the environment and in the files that is not a setting, with the nearest known name.

    A misspelt TESSERA_DATABASE_URL would start an empty database, which looks healthy.
    """
    others = [name for name in known if name not in LOCATIONS]
    yield from _unknown("", os.environ, PREFIX, known)
    yield from _unknown(f"{ENV_FILE}: ", dotenv_values(ENV_FILE), PREFIX, known)
    if directory := _location("secrets_dir"):
        yield from _unknown(f"{directory}: ", [path.name for path in directory.iterdir()], PREFIX, others)
    yield from _unknown(f"{_location('config')}: ", _read_toml(), "", others)


def place_of(name: str) -> str:
    """The place of the value of a setting, for a message about it."""
    variables = [PREFIX + name.upper(), *(["PORT"] if name == "port" else [])]
    for place, names in (("", os.environ), (f"{ENV_FILE}: ", dotenv_values(ENV_FILE))):
        for variable in variables:
            if variable in names:
                return place + variable
    return f"{_location('config')}: {name}" if name in _read_toml() else variables[0]


def _unknown(place: str, names: Collection[str], prefix: str, known: Collection[str]) -> Iterator[str]:
    for full_name in sorted(names):
        start, name = full_name[: len(prefix)], full_name[len(prefix) :].lower()
        if start.upper() == prefix and name not in known:
            line = f"{place}{full_name} is not a setting"
            for nearest in get_close_matches(name, known, n=1):
                line += f"; did you mean {start}{nearest.upper() if start.isupper() else nearest}?"
            yield line


def _location(name: str) -> Path | None:
    variable = PREFIX + name.upper()
    value = os.environ.get(variable) or dotenv_values(ENV_FILE).get(variable)
    return Path(value).expanduser() if value else None


def _read_toml() -> Mapping[str, Any]:
    path = _location("config")
    return tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
