"""A download link opens one file for a while, and nothing else."""

import pytest

from lodestream.rest.links import Links, holds_links
from lodestream.rest.problems import Refusal
from lodestream.v1 import job_pb2, operation_pb2

PATH = "/api/t/p/runs/r/artifacts/map.svg"


def signed(now: float = 1000.0, path: str = PATH) -> tuple[str, str]:
    """(expires, signature) of a link that is good for an hour."""
    query = Links(b"key", 3600, clock=lambda: now).link(path).split("?")[1]
    expires, signature = (part.split("=", 1)[1] for part in query.split("&"))
    return expires, signature


def test_a_link_is_good_until_it_expires():
    """Up to the last second."""
    Links(b"key", 3600, clock=lambda: 1000.0).check(PATH, *signed())
    Links(b"key", 3600, clock=lambda: 4600.0).check(PATH, *signed())
    with pytest.raises(Refusal):
        Links(b"key", 3600, clock=lambda: 4601.0).check(PATH, *signed())


@pytest.mark.parametrize("expires", ["4601", "-1", "soon", "", "inf", "nan"])
def test_another_time_does_not_fit_the_signature(expires):
    """Nobody prolongs a link."""
    with pytest.raises(Refusal):
        Links(b"key", 3600, clock=lambda: 1000.0).check(PATH, expires, signed()[1])


@pytest.mark.parametrize("signature", ["", "x", "é", "\ud800"])
def test_another_signature_does_not_fit(signature):
    """Whatever it is made of."""
    with pytest.raises(Refusal):
        Links(b"key", 3600, clock=lambda: 1000.0).check(PATH, signed()[0], signature)


def test_a_link_opens_no_other_file_and_another_key_opens_nothing():
    """The path is signed too."""
    with pytest.raises(Refusal):
        Links(b"key", 3600, clock=lambda: 1000.0).check(PATH + "x", *signed())
    with pytest.raises(Refusal):
        Links(b"other", 3600, clock=lambda: 1000.0).check(PATH, *signed())


def test_without_a_key_no_link_is_good():
    """Not even one that the same facade could have made with an empty key."""
    with pytest.raises(Refusal):
        Links(None, 3600).check(PATH, *signed())
    assert Links(None, 3600).link(PATH, "https://here") == f"https://here{PATH}"


def test_answers_with_links_are_known_by_their_type():
    """Others are not searched."""
    assert holds_links(operation_pb2.GetOperationResultsResponse.DESCRIPTOR)
    assert holds_links(job_pb2.GetJobResultsResponse.DESCRIPTOR)
    assert not holds_links(operation_pb2.GetOperationResponse.DESCRIPTOR)
