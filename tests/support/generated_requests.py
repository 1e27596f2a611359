"""Requests that are generated from the OpenAPI document, and the checks of their responses.

This module takes a second to import, so that tests import it when they run, and not when they are collected.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.meta import TestPhase
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]
# Each run generates the same requests, so that a new failure comes from a change of the code. A busy machine may need
# more than the usual ten seconds for a response.
CONFIG = {"seed": 1, "request-timeout": 60.0, "generation": {"deterministic": True, "database": "none"}}
# Each operation also gets dozens of requests that cover its documented limits, types and examples, so that ten random
# ones are enough. For more, Hypothesis draws variations, most of which it rejects.
SETTINGS = hypothesis.settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

REQUEST = attrgetter("method", "path_parameters", "query", "headers", "cookies", "media_type", "body")

Case = schemathesis.Case[schemathesis.APIOperation[Any, Any, Any, Any]]


class Generator:
    """The operations of a document, each with the requests that are generated for it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(CONFIG))
        operations = (each.ok() for each in self._schema.get_all_operations() if isinstance(each, Ok))
        self.operations = {operation.label: operation for operation in operations}

    def security_of(self, label: str) -> list[str]:
        """The names of the kinds of credentials that an operation accepts."""
        return [name for option in self.operations[label].definition.raw.get("security", []) for name in option]

    def check_all(self, label: str, check: Callable[[Case], None]) -> None:
        """Check the requests for an operation, valid and invalid, each of them once.

        `schema.parametrize` generates many of them for all operations while each process collects its tests.
        """
        checked: set[str] = set()

        def check_once(case: Case) -> None:
            if (request := repr(REQUEST(case))) not in checked:
                checked.add(request)
                check(case)

        test = build_operation_test(
            config=self._schema.config,
            operation=self.operations[label],
            test_func=check_once,
            given_kwargs={},
            feedback=FeedbackSources(),
            explicit_settings=SETTINGS,
        )
        test()


def is_random(case: Case) -> bool:
    """Whether the request was drawn at random, and not to cover a documented limit or example."""
    return case.meta is not None and case.meta.phase.name is TestPhase.FUZZING
