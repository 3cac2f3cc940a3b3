"""Every error has its row, every row its error, and a message fit for callers."""

import ast
from pathlib import Path

import pytest

from lodestream import errors, status
from lodestream.errors import InvalidField, LodestreamError, Violation

#: Said by the command line when the server cannot start; never sent.
NEVER_SENT = {"DATA_DIR_IN_USE", "STORE_TOO_NEW", "STORE_DAMAGED"}


def _all() -> list[type[LodestreamError]]:
    """Those that travel: errors of other modules (of the client, of a start that fails) are seen where they arise, and
    are loaded or not as the tests before this one would have it."""
    return [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, LodestreamError)]


def test_every_reason_that_is_sent_has_a_row_and_every_row_an_error():
    """A reason without a row would be INTERNAL at both doors."""
    assert {error.reason for error in _all()} - NEVER_SENT == set(status.STATUSES)


@pytest.mark.parametrize("error", _all())
def test_an_error_says_what_happened_without_being_told(error):
    """The docstring's first line is the default message, a whole sentence."""
    assert str(error()) == errors.default_message(error)
    assert str(error()).endswith(".")


@pytest.mark.parametrize("reason", sorted(status.STATUSES))
def test_a_client_can_raise_what_the_server_raised(reason):
    """From the reason alone."""
    assert status.error_for(reason).reason == reason


def test_an_unknown_reason_is_an_unexpected_fault():
    """From a newer server, say."""
    assert status.of("NEVER_HEARD").http == 500
    assert status.error_for("NEVER_HEARD") is LodestreamError


def test_field_errors_name_the_first_field():
    """And carry all of them."""
    error = InvalidField.of(Violation("a.b", "must be 1 or more"), Violation("c", "is required"))
    assert str(error) == "a.b: must be 1 or more"
    assert [violation.field for violation in error.violations] == ["a.b", "c"]


def test_plain_errors_know_no_transport():
    """The engine raises them without loading gRPC."""
    tree = ast.parse(Path(errors.__file__).read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(name.startswith("grpc") for name in imported)
