"""The measurement of the REST door measures what it says, with everybody answering the same."""

from tools.bench import rest
from tools.bench._rest_servers import CONTENDERS


def test_every_contender_answers_both_requests_and_the_facade_beats_connexion_as_it_comes():
    """Whatever else the machine does: the promised ratio is twice this one, and is measured in a quiet hour."""
    results = rest.measure(rounds=1, seconds=0.3)
    assert {(one.request, one.contender) for one in results} == {(r, c) for r in ("GET", "POST") for c in CONTENDERS}
    assert all(one.per_second > 0 and one.median_us > 0 for one in results)
    cost = {(one.request, one.contender): one.median_us for one in results}
    for request in ("GET", "POST"):
        assert cost[request, "facade"] < cost[request, "connexion"]
