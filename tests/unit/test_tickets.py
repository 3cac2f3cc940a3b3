"""A ticket lets a reader into one project for a minute, and nobody else makes one."""

import pytest

from lodestream import tickets

KEY = b"k" * 32


def test_a_ticket_is_read_back_until_it_is_over():
    """One minute."""
    text = tickets.issue(KEY, "tenant", "project", 1000.9)
    assert tickets.read(KEY, text, 1060.0) == tickets.Ticket("tenant", "project", 1060)
    assert tickets.read(KEY, text, 1061.0) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lodeticket.",
        "lodeticket.a.b.c.d",
        tickets.issue(b"other", "tenant", "project", 1000),
        tickets.issue(KEY, "tenant", "project", 1000).replace("tenant", "Tenant"),
        tickets.issue(KEY, "tenant", "project", 1000).replace("1060", "9060"),
        tickets.issue(KEY, "tenant", "project", 1000)[:-1],
        tickets.issue(KEY, "tenant", "project", 1000).removeprefix("lode"),
        "lodeticket.\ud800.b.1.x",
    ],
)
def test_anything_else_is_no_ticket(text):
    """Changed, cut, of another key, or never one."""
    assert tickets.read(KEY, text, 1000.0) is None
