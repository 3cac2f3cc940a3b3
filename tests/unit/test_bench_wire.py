"""The measurement of the transcoder runs, and what it says stays true."""

import json

from tools.bench import wire


def test_the_transcoder_is_faster_than_json_format_both_ways():
    """Twice as fast is the aim; on a busy machine the same run has to show at least that it is faster."""
    results = wire.measure(rounds=3, fresh_messages=50)
    assert [result.name for result in results] == ["encode", "encode, fresh", "decode", "decode, fresh"]
    assert all(result.ratio > 1 for result in results), results


def test_the_figures_are_printed_as_json(capsys, monkeypatch):
    """For `make bench`, which gathers the figures of all subjects."""
    monkeypatch.setattr(wire, "measure", lambda rounds: [wire.Result("encode", 1.0, float(rounds), 2.0)])
    wire.main(["--json", "--rounds", "2"])
    assert json.loads(capsys.readouterr().out) == [
        {"name": "encode", "ours_us": 1.0, "json_format_us": 2.0, "ratio": 2.0}
    ]
