"""The bench of the LocalChannel measures what it says, over a real socket beside it."""

import json

from tools.bench import local_channel


def test_it_prints_every_contender_with_its_ratios(capsys):
    """As JSON: loopback is measured in the same run and takes longer than any local call."""
    local_channel.main(["--json", "--rounds", "2"])
    figures = json.loads(capsys.readouterr().out)
    ratios = {row["name"]: row["loopback_times_this"] for row in figures["unary"]}
    assert list(ratios) == [
        "direct",
        "task",
        "local",
        "local, interceptor",
        "local, interceptor, timeout",
        "loopback",
    ]
    assert ratios["loopback"] == 1
    assert all(ratio > 1 for name, ratio in ratios.items() if name != "loopback")
    assert [row["name"] for row in figures["streams"]] == ["local", "loopback"]
    assert all(row["frames_a_second"] > 0 for row in figures["streams"])
