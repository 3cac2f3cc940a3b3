"""A path finds its operation, literal segments before parameters, and every other path is told what there is."""

import pytest

from lodestream.rest.problems import Refusal
from lodestream.rest.routing import Routing


def routing(**paths: str) -> Routing:
    """A table of GET operations by id; a path may carry another verb in front: "delete /x"."""
    document: dict[str, dict[str, dict[str, str]]] = {}
    for operation_id, path in paths.items():
        verb, _, path = path.rpartition(" ")
        document.setdefault(path, {})[verb or "get"] = {"operationId": operation_id}

    async def nothing(*_: object) -> None:
        """No request gets further in these tests."""

    made = Routing(nothing)
    made.add_api({"paths": document}, base_path="")
    return made


def found(table: Routing, path: str, method: str = "GET") -> tuple[str, dict[str, str]]:
    """The operation of a path and its parameters."""
    route, values = table._route(path, method)
    return route.operation_id, dict(zip(route.names, values, strict=True))


def test_parameters_take_one_segment_each():
    """In the order of the path."""
    table = routing(job="/api/{tenant}/{project}/job/{job}")
    assert found(table, "/api/a/b/job/c") == ("job", {"tenant": "a", "project": "b", "job": "c"})


def test_a_literal_segment_wins_and_a_dead_end_falls_back():
    """The system's path looks like a project's until its end."""
    table = routing(system="/api/{tenant}/execution/system/status", jobs="/api/{tenant}/{project}/system/jobs")
    assert found(table, "/api/t/execution/system/status")[0] == "system"
    assert found(table, "/api/t/execution/system/jobs") == ("jobs", {"tenant": "t", "project": "execution"})


def test_head_is_answered_where_get_is():
    """As HTTP asks for."""
    assert found(routing(job="/job/{id}"), "/job/1", "HEAD")[0] == "job"


@pytest.mark.parametrize("path", ["/", "/job", "/job/", "/job/1/", "/job/1/2", "/Job/1", "job/1", ""])
def test_an_unknown_path_is_not_found(path):
    """Nothing is guessed: no trailing slash, no other case, no empty parameter."""
    with pytest.raises(Refusal) as caught:
        found(routing(job="/job/{id}"), path)
    assert caught.value.reason == "ROUTE_NOT_FOUND"


def test_a_known_path_names_the_methods_it_takes():
    """In the Allow header too, HEAD beside GET."""
    with pytest.raises(Refusal) as caught:
        found(routing(get="/job/{id}", stop="delete /job/{id}"), "/job/1", "PUT")
    assert caught.value.headers == [(b"allow", b"DELETE, GET, HEAD")]
