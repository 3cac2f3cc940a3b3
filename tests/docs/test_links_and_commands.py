"""What the README and the docs point to is there: files, headings, `make` targets."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"(?:^|`|&& )make ([a-z]+)", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that a renderer gives to the headings of a page: lower case, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere. Addresses of the web are not dialled."""
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    return broken


def targets() -> set[str]:
    """The targets of the Makefile."""
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    """Files exist, and headings that are linked to exist in them."""
    assert broken_links(ROOT / page) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_exists(page):
    """A reader who copies the command gets what the page says."""
    assert set(MAKE.findall((ROOT / page).read_text(encoding="utf-8"))) <= targets()


@pytest.mark.parametrize("page", PAGES)
def test_python_in_the_docs_is_quoted_from_an_example(page):
    """What a reader copies is code that is type-checked and run, not a sketch of it."""
    examples = [path.read_text(encoding="utf-8") for path in (ROOT / "examples").rglob("*.py")]
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [block for block in blocks if not any(block in example for example in examples)] == []


def test_every_target_explains_itself_in_make_help():
    """`make` alone is the table of contents: no phony target hides."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z]+):.* ## \S", text, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert explained == set(phony[1].split()) == targets()


def test_a_link_to_nowhere_is_noticed(tmp_path):
    """The check itself can fail: a missing file and a missing heading are both named."""
    (tmp_path / "there.md").write_text("# Here I stand\n")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#here-i-stand) [b](gone.md) [c](there.md#elsewhere) [d](https://example.org)\n")
    assert broken_links(page) == ["gone.md", "there.md#elsewhere"]
