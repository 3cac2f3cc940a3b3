"""Files come back to the byte, whole or in ranges, safely, and with a signed link for who has no key."""

import pytest

from lodestream import tickets
from lodestream.rest.links import Links
from tests.integration.rest_files_world import ARTIFACTS, Artifacts, asking
from tests.integration.rest_world import PROJECT, TENANT

DATA = b"0123456789abcdef!"


def store() -> Artifacts:
    """A data file, a page and a picture."""
    return Artifacts(
        {
            "enriched günlük.csv": ("text/csv; charset=utf-8", DATA),
            "report.html": ("text/html; charset=utf-8", b"<script>alert(1)</script>"),
            "map.svg": ("image/svg+xml", b"<svg/>"),
            "empty.csv": ("text/csv", b""),
        }
    )


async def test_a_file_comes_whole_with_its_name_and_type():
    """Names outside ASCII too (RFC 8187); nobody guesses types."""
    async with asking(artifacts=store()) as client:
        answer = await client.get(f"{ARTIFACTS}/enriched günlük.csv")
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"enriched g_nl_k.csv\"; filename*=UTF-8''enriched%20g%C3%BCnl%C3%BCk.csv"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("name", ["report.html", "map.svg"])
async def test_pages_and_pictures_are_shown_in_a_sandbox(name):
    """Whatever a log smuggled into them does not run."""
    async with asking(artifacts=store()) as client:
        answer = await client.get(f"{ARTIFACTS}/{name}")
    assert answer.headers["content-disposition"].startswith("inline")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/17"),
        ("bytes=5-5", b"5", "bytes 5-5/17"),
        ("bytes=10-", b"abcdef!", "bytes 10-16/17"),
        ("bytes=10-9999", b"abcdef!", "bytes 10-16/17"),
        ("bytes=-3", b"ef!", "bytes 14-16/17"),
        ("bytes=-9999", DATA, "bytes 0-16/17"),
    ],
)
async def test_a_range_is_sent_alone(asked, part, content_range):
    """206, so that a broken download goes on where it was."""
    async with asking(artifacts=store()) as client:
        answer = await client.get(f"{ARTIFACTS}/enriched günlük.csv", headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-range"] == content_range
    assert answer.headers["content-length"] == str(len(part))


@pytest.mark.parametrize("asked", ["bytes=17-", "bytes=99-100", "bytes=-0"])
async def test_a_range_beyond_the_end_is_refused_with_the_size(asked):
    """416."""
    async with asking(artifacts=store()) as client:
        answer = await client.get(f"{ARTIFACTS}/enriched günlük.csv", headers={"range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */17")
    assert answer.json()["reason"] == "RANGE_NOT_SATISFIABLE"


@pytest.mark.parametrize("asked", ["bytes=3-1", "bytes=0-1,5-6", "lines=1-2", "bytes=-", "x"])
async def test_a_range_that_is_none_is_ignored(asked):
    """As HTTP allows: the whole file comes."""
    async with asking(artifacts=store()) as client:
        answer = await client.get(f"{ARTIFACTS}/enriched günlük.csv", headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, DATA)


async def test_a_range_of_another_file_than_before_is_not_sent():
    """If-Range: the whole new file instead of a mixture."""
    path = f"{ARTIFACTS}/enriched günlük.csv"
    async with asking(artifacts=store()) as client:
        tag = (await client.get(path)).headers["etag"]
        same = await client.get(path, headers={"range": "bytes=0-3", "if-range": tag})
        other = await client.get(path, headers={"range": "bytes=0-3", "if-range": '"other"'})
        unchanged = await client.get(path, headers={"if-none-match": tag})
    assert (same.status_code, other.status_code, other.content) == (206, 200, DATA)
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_an_empty_file_is_a_file():
    """With any range it is refused, without it comes."""
    async with asking(artifacts=store()) as client:
        assert (await client.get(f"{ARTIFACTS}/empty.csv")).content == b""
        assert (await client.get(f"{ARTIFACTS}/empty.csv", headers={"range": "bytes=0-"})).status_code == 416


async def test_head_tells_the_size_without_the_bytes():
    """For progress bars."""
    async with asking(artifacts=store()) as client:
        answer = await client.head(f"{ARTIFACTS}/map.svg")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "6", b"")


async def test_a_signed_link_opens_the_file_without_a_key():
    """The server sees a ticket for reading in that project, never the link."""
    files = store()
    async with asking(artifacts=files, key=b"key") as client:
        answer = await client.get(Links(b"key", 60).link(f"{ARTIFACTS}/map.svg"))
    assert answer.status_code == 200
    (credential,) = files.credentials
    ticket = tickets.read(b"key", credential.removeprefix("Bearer "), 0.0)
    assert ticket is not None
    assert (ticket.tenant_id, ticket.project_id) == (TENANT, PROJECT)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda link: link.replace("map.svg", "report.html"), 403),
        (lambda link: link[:-2], 403),
        (lambda link: link.replace("expires=", "expires=1"), 403),
        (lambda link: link.split("&")[0], 400),  # half a link
        (lambda link: link + "&signature=x", 400),
        (lambda link: link + "&other=x", 400),
    ],
)
async def test_a_link_that_was_changed_opens_nothing(change, code):
    """And no call is made."""
    files = store()
    async with asking(artifacts=files, key=b"key") as client:
        answer = await client.get(change(Links(b"key", 60).link(f"{ARTIFACTS}/map.svg")))
    assert answer.status_code == code
    assert files.credentials == []


async def test_a_link_of_yesterday_opens_nothing():
    """The answer says how to get a new one."""
    async with asking(artifacts=store(), key=b"key") as client:
        answer = await client.get(Links(b"key", -1).link(f"{ARTIFACTS}/map.svg"))
    assert (answer.status_code, answer.json()["reason"]) == (403, "LINK_NOT_VALID")
    assert "ask for the results again" in answer.json()["detail"]


async def test_without_a_link_the_callers_own_credential_counts():
    """As for everything else."""
    files = store()
    async with asking(artifacts=files, key=b"key") as client:
        await client.get(f"{ARTIFACTS}/map.svg", headers={"authorization": "Bearer mine"})
    assert files.credentials == ["Bearer mine"]
