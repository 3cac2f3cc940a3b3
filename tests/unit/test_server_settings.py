"""What an operator sets reaches the part that obeys it."""

import pytest
from lodestream_server.settings import ServerSettings
from pydantic import ValidationError


def test_what_runs_may_ask_for_together_reaches_the_engine(monkeypatch):
    """Cores, memory and the time limit in the queue, from the environment like everything else."""
    monkeypatch.setenv("LODESTREAM_CPU_UNITS", "6.5")
    monkeypatch.setenv("LODESTREAM_MEMORY_BYTES", "8000000000")
    monkeypatch.setenv("LODESTREAM_QUEUE_LIMIT_S", "90")
    engine = ServerSettings().engine()
    assert (engine.cpu_units, engine.memory_bytes, engine.queue_limit_s) == (6.5, 8 * 10**9, 90.0)


def test_without_them_the_machine_decides_and_a_run_waits_as_long_as_it_takes():
    """The engine fills in what the machine has."""
    engine = ServerSettings().engine()
    assert (engine.cpu_units, engine.memory_bytes, engine.queue_limit_s) == (0, 0, None)


@pytest.mark.parametrize("name", ["queue_limit_s", "cpu_units", "memory_bytes", "keep_requests_days"])
def test_what_makes_no_sense_is_refused(name):
    """Before anything is opened."""
    with pytest.raises(ValidationError, match=name):
        ServerSettings.model_validate({name: -1})


@pytest.mark.parametrize("address", ["collector", "http:collector", "ftp://collector", "http://"])
def test_a_collector_without_an_address_is_refused(address):
    """Not when the first span is sent, and not with a traceback of the doctor."""
    with pytest.raises(ValidationError, match=r"must be the address of a collector, such as http://127\.0\.0\.1:4318"):
        ServerSettings(traces=address)
