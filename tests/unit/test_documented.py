"""The documentation shipped as data is complete and is what its manifest says."""

import hashlib

import pytest

from lodestream import documented


def test_every_example_is_there_in_both_languages_to_the_byte():
    """58 files, each with the SHA-256 of its manifest entry."""
    entries = documented.manifest()
    assert len(entries) == 58
    assert len(documented.names()) == 29
    for entry in entries:
        language, name = entry["file"].removesuffix(".json").split("/")
        assert hashlib.sha256(documented.example_bytes(name, language)).hexdigest() == entry["sha256"], entry["file"]


def test_the_manifest_tells_documented_from_translated():
    """42 are on a page; the English of the two pages that exist in Turkish only is ours."""
    statuses = [entry["status"] for entry in documented.manifest()]
    assert (statuses.count("documented"), statuses.count("translated")) == (42, 16)
    for entry in documented.manifest():
        language = entry["file"].split("/")[0]
        assert (entry["status"] == "translated") == (language == "en" and entry["page_language"] == "tr")


def test_every_endpoint_finds_its_examples():
    """What the list of endpoints names exists, and nothing else does."""
    endpoints = documented.endpoints()
    assert (len(endpoints["documented"]), len(endpoints["implied"])) == (22, 2)
    named = {
        file.removesuffix(".json")
        for endpoint in endpoints["documented"]
        for file in (endpoint["request_example"], endpoint["response_example"])
        if file
    }
    assert named == set(documented.names())


def test_words_are_sets_of_english_words_with_their_turkish():
    """None where no Turkish page shows one."""
    words = documented.words()
    assert words["job status"]["Running"] == "Çalışıyor"
    assert words["operation status"]["Running"] is None
    assert all(isinstance(entries, dict) for entries in words.values())


def test_examples_are_fresh_objects():
    """Who changes one does not change the next one's."""
    documented.example("get-job.response")["jobId"] = "mine"
    assert documented.example("get-job.response")["jobId"] == "cc0e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("name", "language"), [("get-nothing.response", "en"), ("get-job.response", "de"), ("../words", "en")]
)
def test_an_unknown_example_is_a_key_error(name, language):
    """No path leads out of the examples."""
    with pytest.raises(KeyError, match="no documented example"):
        documented.example(name, language)
