"""Expected errors of commands as lines of text."""

import errno
from collections.abc import Iterator

from tessera.cli.startup import CannotStart
from tessera.kit.control_characters import visible
from tessera.kit.db.copies import CannotCopy
from tessera.kit.embedded_postgres.programs import NoUsablePrograms
from tessera.kit.embedded_postgres.server import EmbeddedPostgresError
from tessera.kit.embedded_postgres.upgrades import CannotUpgrade
from tessera.kit.errors import DomainError, Invalid
from tessera.kit.imports.refusals import ImportRefused
from tessera.schema import CannotMigrate, CannotUse
from tessera.settings import SettingsInvalid

_EXPECTED = (
    CannotStart,
    SettingsInvalid,
    EmbeddedPostgresError,
    NoUsablePrograms,
    CannotUpgrade,
    CannotMigrate,
    CannotUse,
    CannotCopy,
    DomainError,
)
_OF_MACHINE = {errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_expected(error: Exception) -> bool:
    """Whether the error is that of the caller or of the environment, and its message says what to do."""
    return isinstance(error, _EXPECTED) or _is_of_argument(error) or _is_of_machine(error)


def _is_of_argument(error: Exception) -> bool:
    # Python decodes arguments and settings with surrogates for bytes that are not UTF-8.
    return isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8"


def _is_of_machine(error: Exception) -> bool:
    # For example, the data directory belongs to the user of the service, or a disk is full.
    return isinstance(error, OSError) and error.errno in _OF_MACHINE


def lines(error: Exception) -> Iterator[str]:
    """One line for each violation, else the message of the error; text from outside cannot control the terminal."""
    return map(visible, _lines(error))


def _lines(error: Exception) -> Iterator[str]:
    match error:
        case Invalid():
            for violation in error.violations:
                yield f"{violation.field.replace('_', '-')} {violation.message}"
        case ImportRefused():
            for line in error.lines:
                for violation in line.violations:
                    yield f"line {line.number}: {violation.field} {violation.message}"
            yield str(error)
        case _:
            yield from _message(error).splitlines()


def _message(error: Exception) -> str:
    match error:
        case UnicodeEncodeError():
            return f"an argument or a setting is not text in UTF-8: {error.object[:60]}"
        case OSError():
            return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
        case CannotMigrate() | CannotUse():
            return f"cannot use the database: {error}"
        case _:
            return str(error)
