"""Steps that need each other: an order, or the place that makes one impossible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.runs.graph import in_order, longest_s

from lodestream.errors import DependencyProblem


@st.composite
def _graphs(draw):
    """Keys with needs among the keys before them, then shuffled."""
    size = draw(st.integers(1, 12))
    needs = [sorted(draw(st.sets(st.integers(0, place - 1)))) if place else [] for place in range(size)]
    order = draw(st.permutations(range(size)))
    return [f"k{n}" for n in order], [[f"k{need}" for need in needs[n]] for n in order]


@given(_graphs())
def test_every_step_comes_after_what_it_needs(graph):
    """And every step comes, once."""
    keys, needs = graph
    order = in_order(keys, needs)
    assert sorted(order) == list(range(len(keys)))
    for place in order:
        assert {keys.index(key) for key in needs[place]} <= set(order[: order.index(place)])


@pytest.mark.parametrize(
    ("keys", "needs", "field", "text"),
    [
        (["a", "a"], [[], []], "operations[1].operation_key", "operations[0] already"),
        (["a", "b"], [[], ["a", "x"]], "operations[1].dependencies[1]", "'x'"),
        (["a"], [["a"]], "operations[0].dependencies", "a → a"),
        (["z", "a", "b", "c"], [[], ["c"], ["a"], ["z", "b"]], "operations[1].dependencies", "a → c → b → a"),
    ],
)
def test_the_place_of_the_fault_is_named(keys, needs, field, text):
    """A double key, an unknown one, and the way round a cycle."""
    with pytest.raises(DependencyProblem) as caught:
        in_order(keys, needs)
    [violation] = caught.value.violations
    assert violation.field == field
    assert text in violation.description


@given(_graphs(), st.integers(0, 11))
def test_a_back_edge_makes_a_cycle_that_is_found(graph, seed):
    """Whatever else there is."""
    keys, needs = graph
    first = in_order(keys, needs)[0]
    later = [place for place, some in enumerate(needs) if keys[first] in some]
    if later:
        needs[first] = [keys[later[seed % len(later)]]]
        with pytest.raises(DependencyProblem, match="cycle"):
            in_order(keys, needs)


def test_the_longest_path_counts():
    """Two ways from a to d: 1 + 5 + 1 and 1 + 2 + 1."""
    keys, needs = ["a", "b", "c", "d"], [[], ["a"], ["a"], ["b", "c"]]
    assert longest_s(keys, needs, {"a": 1.0, "b": 5.0, "c": 2.0, "d": 1.0}) == 7.0
    assert longest_s(keys, needs, {"a": 1.0, "b": None, "c": 2.0, "d": 1.0}) is None
