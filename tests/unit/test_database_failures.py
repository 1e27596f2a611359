"""Errors of the driver: which are retried, which end a connection, and what the caller and the operator are told."""

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tessera.kit.db import failures
from tessera.kit.errors import DatabaseUnavailable, DeadlineExceeded, NodeUnavailable, TransactionAborted


def failed(state: str) -> DBAPIError:
    """An error of a statement with this SQLSTATE, as SQLAlchemy raises it."""
    return DBAPIError("select", {}, psycopg.errors.lookup(state)("a value of a row"))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", NodeUnavailable),
        ("40001", TransactionAborted),
        ("40P01", TransactionAborted),
        ("55P03", TransactionAborted),
        ("57014", DeadlineExceeded),
        ("25006", DatabaseUnavailable),
        ("57P01", DatabaseUnavailable),
        ("53300", DatabaseUnavailable),
        ("23505", None),
        ("42P01", None),
    ],
)
def test_the_caller_is_told_what_happened_to_the_database(state: str, expected: type[Exception] | None) -> None:
    wrapper = OperationalError if state == "53300" else DBAPIError
    error = failures.domain_error(wrapper("select", {}, psycopg.errors.lookup(state)("a value of a row")))
    assert (None if error is None else type(error)) is expected


def test_a_deadline_and_a_pool_without_a_free_connection_are_no_faults_of_a_statement() -> None:
    assert isinstance(failures.domain_error(TimeoutError()), DeadlineExceeded)
    assert type(failures.domain_error(PoolTimeout())) is DatabaseUnavailable
    assert failures.domain_error(ValueError()) is None


@pytest.mark.parametrize(("state", "expected"), [("08006", True), ("XX000", True), ("40001", False), ("23505", False)])
def test_a_commit_may_have_succeeded_if_a_node_or_its_answer_was_lost(state: str, *, expected: bool) -> None:
    assert failures.may_have_committed(failed(state)) is expected
    assert failures.may_have_committed(ValueError()) is False


@pytest.mark.parametrize(("state", "expected"), [("57P01", True), ("25P03", True), ("08006", False), ("40001", False)])
def test_a_connection_is_lost_with_its_server_or_session(state: str, *, expected: bool) -> None:
    assert failures.is_lost(failed(state)) is expected
    assert failures.is_lost(psycopg.errors.lookup("57P01")()) is True
    assert failures.is_lost(psycopg.OperationalError("server closed the connection unexpectedly")) is True
    assert failures.is_lost(psycopg.errors.lookup("53300")()) is False
    assert failures.is_lost(ValueError()) is False


def test_an_invalidated_connection_is_lost_whatever_the_error_was() -> None:
    error = failed("23505")
    error.connection_invalidated = True
    assert failures.is_lost(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("FATAL:  sorry, too many clients already"), "53300"),
        (psycopg.OperationalError("could not connect"), None),
        (ValueError("too many clients"), None),
        (failed("40001"), "40001"),
        (None, None),
    ],
)
def test_a_rejected_connection_has_the_state_that_its_message_tells(
    error: Exception | None, expected: str | None
) -> None:
    assert failures.sqlstate(error) == expected


def test_a_missing_reference_and_a_read_only_transaction_have_states_of_their_own() -> None:
    assert (failures.is_missing_reference(failed("23503")), failures.is_missing_reference(failed("23505"))) == (
        True,
        False,
    )
    assert (failures.is_read_only(failed("25006")), failures.is_read_only(failed("23503"))) == (True, False)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PoolTimeout(), "no connection of the pool was free"),
        (TimeoutError(), "the time limit was exceeded"),
        (failed("53100"), "the disk of the server is full"),
        (None, "the server is not available"),
    ],
)
def test_operators_are_told_the_cause_in_a_few_words(error: Exception | None, expected: str) -> None:
    assert failures.cause_of(error) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("connection\n refused"), "connection refused"),
        (failed("23505"), "UniqueViolation"),
        (ValueError("a value of a row"), "ValueError"),
        (psycopg.errors.lookup("57P01")("a value of a row"), "AdminShutdown"),
    ],
)
def test_the_message_for_a_log_quotes_no_row(error: Exception, expected: str) -> None:
    assert failures.message_of(error) == expected
