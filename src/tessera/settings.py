"""Settings from the environment; only composition roots read them."""

import ipaddress
import os
import re
import secrets
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tessera.kit.secret_files import write_private

PREFIX = "TESSERA_"
MIN_SECRET_LENGTH = 32
KEY_FILE_NAME = "token.key"


class SettingsInvalid(Exception):
    """Settings are missing or invalid; the message has one line for each invalid setting."""


class Settings(BaseSettings):
    """The settings of an installation; each variable has the prefix `TESSERA_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    database_url: str | None = Field(
        None, description="The URL of an external Postgres; without it, an embedded one is started."
    )
    owner_database_url: str | None = Field(None, description="The URL with the login for migrations, if it differs.")
    data_dir: Path = Field(Path(".tessera"), description="The directory of the embedded Postgres and of demo.json.")
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        description="The port to listen on; PORT is an alias.",
        validation_alias=AliasChoices("TESSERA_PORT", "PORT"),
    )
    public_url: str | None = Field(None, description="The base URL that clients use; nextLink starts with it.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks whose X-Forwarded-* headers are trusted, separated by commas."
    )
    token_keys: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="Signing keys as kid:secret, separated by commas; the first signs, all are accepted.",
        repr=False,
    )
    organization: str | None = Field(
        None, description="The organization of commands without --organization; default: the only one."
    )
    token_lifetime_seconds: int = Field(3600, ge=1, description="The lifetime of an access token.")
    pool_size: int = Field(10, ge=1, description="Database connections of each process.")
    prepare_statements: bool = Field(default=True, description="Turn off behind PgBouncer older than 1.21.")
    processes: int = Field(1, ge=1, description="API processes of `tessera api`.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("database_url", "owner_database_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None and not _is_postgres_address(value):
            message = "must be postgresql://user:password@host:port/database"
            raise ValueError(message)
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", value):
            message = "must be http://... or https://..., without a query"
            raise ValueError(message)
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: Any) -> Any:  # noqa: ANN401 - the text of the environment, or a default
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network, strict=False)  # raises ValueError, which names the network and the reason
        return networks

    @field_validator("token_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:  # noqa: ANN401
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition(":") for part in value.split(",") if part.strip()]
        return {kid: secret for kid, _, secret in pairs}

    @field_validator("token_keys")
    @classmethod
    def _check_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        if not all(kid and _is_strong(secret) for kid, secret in keys.items()):
            message = f"must be kid:secret, each secret random and at least {MIN_SECRET_LENGTH} characters"
            raise ValueError(message)
        return keys


def _is_postgres_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme.partition("+")[0] in ("postgres", "postgresql") and parts.port != 0
    except ValueError:  # such as a port that is not a number
        return False


def _is_strong(secret: str) -> bool:
    # Example secrets and typed secrets repeat characters; random text of this length has many distinct ones.
    return len(secret) >= MIN_SECRET_LENGTH and len(set(secret)) >= MIN_SECRET_LENGTH // 4


def with_stored_key(settings: Settings) -> Settings:
    """The settings; if they have no token keys, with the key that `with_demo_key` stored in the data directory."""
    path = settings.data_dir / KEY_FILE_NAME
    if settings.token_keys or not path.exists():
        return settings
    return settings.model_copy(update={"token_keys": {"demo": path.read_text().strip()}})


def with_demo_key(settings: Settings) -> Settings:
    """The settings; if they have no token keys, with a key generated once for the data directory. Raises OSError."""
    path = settings.data_dir / KEY_FILE_NAME
    if not settings.token_keys and not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return with_stored_key(settings)


def load() -> Settings:
    """The settings of this process; raises SettingsInvalid, whose message contains no secret."""
    lines = list(_unknown_variables())
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = str(detail["loc"][0]).upper().removeprefix("TESSERA_")
            variable = name if name == "PORT" else f"TESSERA_{name}"
            lines.append(f"{variable}: {detail['msg'].removeprefix('Value error, ')}")
    if lines:
        raise SettingsInvalid("\n".join(lines)) from None
    return settings


def _unknown_variables() -> Iterator[str]:
    # A misspelt TESSERA_DATABASE_URL would start an empty database, which looks healthy.
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in known:
            nearest = get_close_matches(name, known, n=1)
            yield f"{variable}: is not a setting" + (f"; did you mean {PREFIX}{nearest[0]}?" if nearest else "")
