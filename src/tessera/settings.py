"""Settings from the environment and from files; only composition roots read them."""

import ipaddress
import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, TypeAdapter, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from tessera import settings_sources as sources
from tessera.kit.db.roles import APPLICATION_ROLE, OWNER_ROLE
from tessera.kit.secret_files import write_private

MIN_SECRET_LENGTH = 32
KEY_FILE_NAME = "token.key"
# SQL needs no quotes for such a name.
Role = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
ROLES: TypeAdapter[tuple[str, str]] = TypeAdapter(tuple[Role, Role])


class SettingsInvalid(Exception):
    """Settings are missing or invalid; the message has one line for each invalid setting."""


class Settings(BaseSettings):
    """The settings of an installation.

    If several sources have the same setting, the first has precedence: variables of the environment and then of `.env`,
    which have the prefix `TESSERA_`, files in the directory of secrets with the same names, and keys in the TOML file.
    """

    model_config = SettingsConfigDict(
        env_prefix=sources.PREFIX,
        env_ignore_empty=True,
        env_file=sources.ENV_FILE,
        extra="ignore",  # `load` reports unknown names of every source
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
    )

    config: Path | None = Field(None, description="A TOML file with settings, whose keys are in lower case.")
    secrets_dir: Path | None = Field(None, description="A directory with one file for each secret setting.")

    database_url: str | None = Field(
        None, description="The URL of an external Postgres; without it, an embedded one is started."
    )
    owner_database_url: str | None = Field(None, description="The URL with the login for migrations, if it differs.")
    application_role: Role = Field(APPLICATION_ROLE, description="The role of the application, which owns nothing.")
    owner_role: Role = Field(
        OWNER_ROLE, description="The role that owns the schema; installations on one server need two roles each."
    )
    data_dir: Path = Field(Path(".tessera"), description="The directory of the embedded Postgres and of demo.json.")
    archive_dir: Path | None = Field(
        None,
        description="The directory to which the embedded Postgres archives its changes, preferably on another disk.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        description="The port to listen on; PORT is an alias.",
        validation_alias=AliasChoices("TESSERA_PORT", "PORT"),
    )
    public_url: str | None = Field(None, description="The base URL that clients use; nextLink starts with it.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts of the base URL if it comes from the request, separated by commas."
    )
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
    docs: bool = Field(default=True, description="Turn off to serve neither /docs nor the OpenAPI documents.")
    request_seconds: float = Field(15, gt=0, le=3600, description="The time limit of a request.")
    transfer_seconds: float = Field(900, gt=0, le=3600, description="The time limit of an import or an export.")
    # The locks of a job whose worker has vanished stay for that long, so it is short.
    job_seconds: float = Field(60, gt=0, le=3600, description="The time limit of each transaction of a job.")
    head_bytes: int = Field(32 * 1024, ge=1024, description="The maximum size of a request line with its headers.")
    head_seconds: float = Field(10, gt=0, description="The time in which the headers of a request must arrive.")
    body_bytes_per_second: int = Field(1024, ge=1, description="The pace at which a request body must arrive.")
    body_window_seconds: float = Field(10, gt=0, description="The time over which that pace is an average.")
    write_seconds: float = Field(60, gt=0, description="The time that a client may stop reading a response.")
    keep_alive_seconds: float = Field(
        75, gt=0, description="The time that a connection may be idle; proxies should close theirs sooner."
    )
    max_connections: int = Field(4000, ge=1, description="Connections of clients of each process.")
    metrics_host: str = Field("127.0.0.1", description="The address of the metrics.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="The port of the metrics for Prometheus; without it, there are none."
    )
    worker_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="The port of the health checks of `tessera worker`; without it, there are none.",
    )
    processes: int = Field(1, ge=1, description="API processes of `tessera api`.")
    drain_seconds: float = Field(
        2, ge=0, description="The time from SIGTERM to the end of `tessera api`, in which it is not ready."
    )
    misses_per_minute: int = Field(600, ge=1, description="Guesses at codes, for each credential.")
    misses_burst: int = Field(1000, ge=1, description="Guesses at codes at once, for each credential.")
    visitor_misses_per_minute: int = Field(
        20, ge=1, description="Guesses at codes, for each visitor that a shop names in Tessera-Client."
    )
    wrong_secrets_per_minute: int = Field(20, ge=1, description="Wrong secrets, for each client, key or token.")
    organization_share_percent: int = Field(
        50,
        ge=1,
        le=100,
        description="The share of one organization in the connections and the heavy work of a process.",
    )
    share_wait_seconds: float = Field(2, gt=0, description="How long a request beyond that share waits before its 429.")
    bodies_mib: int = Field(64, ge=1, description="Request bodies in the memory of a process at once.")
    organization_bodies_mib: int = Field(16, ge=1, description="Request bodies of one organization, likewise.")
    unread_mib: int = Field(
        128, ge=1, description="Responses in the memory of a process that their clients have not read yet."
    )
    organization_unread_mib: int = Field(32, ge=1, description="Unread responses of one organization, likewise.")
    uploads_mib: int = Field(1024, ge=100, description="Uploaded files on the disk of a process at once.")
    organization_uploads_mib: int = Field(200, ge=100, description="Uploaded files of one organization, likewise.")
    organization_open_imports: int = Field(
        10, ge=1, description="Imports of one organization that wait or run at once in a process."
    )
    organization_stored_mib: int = Field(
        1024, ge=1, description="Responses stored under an Idempotency-Key in 24 hours, for each organization."
    )
    organization_open_batches: int = Field(50, ge=1, description="Batches of promo codes in progress at once.")
    organization_holds: int = Field(10_000, ge=1, description="Holds of codes at once.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources in their order of precedence."""
        return init_settings, env_settings, dotenv_settings, *sources.file_sources(settings_cls)

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

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:  # noqa: ANN401 - the text of the environment, or a default
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
    scheme, separator, rest = text.partition("://")
    # libpq tries several hosts in turn, each with its own port. `urlsplit` as a whole would refuse a list with an IPv6
    # address in some versions of Python.
    hosts = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].split(",")
    is_postgres = scheme.partition("+")[0] in ("postgres", "postgresql") and separator != ""
    return is_postgres and all(map(_has_valid_port, hosts))


def _has_valid_port(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").port != 0
    except ValueError:  # such as a port that is not a number
        return False


def _is_strong(secret: str) -> bool:
    # Example secrets and typed secrets repeat characters; random text of this length has many distinct ones.
    return len(secret) >= MIN_SECRET_LENGTH and len(set(secret)) >= MIN_SECRET_LENGTH // 4


def with_stored_key(settings: Settings) -> Settings:
    """The settings; if they have no token keys, with the key that `with_demo_key` stored in the data directory.

    Raises OSError.
    """
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


def replaces_stored_key(settings: Settings) -> bool:
    """Whether the data directory has a key that is not among the token keys of the settings."""
    path = settings.data_dir / KEY_FILE_NAME
    # A file that this user cannot read belongs to another installation.
    return os.access(path, os.R_OK) and path.read_text().strip() not in settings.token_keys.values()


def load() -> Settings:
    """The settings of this process; raises SettingsInvalid, whose message contains no secret."""
    if lines := list(sources.unreadable()):
        raise SettingsInvalid("\n".join(lines))
    lines = list(sources.unknown(Settings.model_fields))
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = str(detail["loc"][0]).lower().removeprefix(sources.PREFIX.lower())
            lines.append(f"{sources.place_of(name)}: {detail['msg'].removeprefix('Value error, ')}")
    except SettingsError as error:
        lines.append(str(error))
    if lines:
        raise SettingsInvalid("\n".join(lines)) from None
    return settings
