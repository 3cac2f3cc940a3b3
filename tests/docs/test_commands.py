"""The table of commands is the command line, and every command line that the docs print parses."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lodestream.cli import main

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), (ROOT / "examples").rglob("*.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in folder)
ROW = re.compile(r"^\| `lodestream ([a-z][^`]*)` \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
#: Options of every command that calls a server; the page tells of them above its table.
SHARED = frozenset({"--target", "--token", "--tenant", "--project", "--root-certs", "--json"})
GROUP: Any = typer.main.get_command(main.app)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command of the installation by its words, those that other packages add included."""
    for name in group.list_commands(None) if not path else group.commands:
        found = group.commands[name]
        if hasattr(found, "commands"):
            yield from commands(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


COMMANDS = dict(commands(GROUP))


def options(command: Any) -> list[str]:
    """Its options in the order of the help, without the shared ones."""
    named = [parameter.opts for parameter in command.params if parameter.param_type_name == "option"]
    shared = SHARED if {name for names in named for name in names} >= SHARED else frozenset()
    return [" ".join(f"`{name}`" for name in names) for names in named if not shared & set(names)]


def row(words: str, command: Any) -> tuple[str, str, str]:
    """What the table says of a command."""
    return words, command.help.splitlines()[0], ", ".join(options(command))


def printed(page: str) -> list[str]:
    """The command lines of a page: after a prompt, in an indented block, or quoted in a sentence or a table."""
    text = re.sub(r"\\\n\s*", "", (ROOT / page).read_text(encoding="utf-8"))
    fenced = re.findall(r"^\$ (.*\blodestream .*)$", text, re.MULTILINE)
    indented = re.findall(r"^    (lodestream .*)$", text, re.MULTILINE)
    quoted = re.findall(r"`(lodestream [^`]+)`", re.sub(r"`\n?lodestream", "`lodestream", text).replace("\n", " "))
    return [*fenced, *indented, *quoted]


def faults(line: str) -> list[str]:
    """The commands and options of a line that do not exist. `…` and `|` in words stand for a choice."""
    found = []
    for call in re.findall(r"\blodestream (.+?)(?= \| |\)|$)", line):
        words = shlex.split(re.sub(r"[\[\]]", " ", call), posix=True)
        here, taken = GROUP, list[str]()
        while words and hasattr(here, "commands") and not words[0].startswith("-"):
            names = words.pop(0)
            if any(here.get_command(None, name) is None for name in names.split("|")):
                return [f"{names} in {line!r}"]
            taken.append(names)
            here = here.get_command(None, names.split("|")[0])
        known = {name for parameter in getattr(here, "params", []) for name in parameter.opts} | {"--help", "--version"}
        used = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
        found += [f"{name} in {line!r}" for name in used if name not in known]
    return found


def test_the_table_of_commands_is_the_command_line():
    """Both ways: a command or an option without a place in the table fails, and so does one that is no more."""
    table = ROW.findall((ROOT / "docs/cli.md").read_text(encoding="utf-8").partition("## Every command")[2])
    assert table == [row(words, COMMANDS[words]) for words in sorted(COMMANDS)]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_that_a_page_prints_parses(page):
    """Copied from the page, it names commands and options that exist."""
    assert [fault for line in printed(page) for fault in faults(line)] == []


def test_a_command_line_that_does_not_parse_is_noticed():
    """The check itself can fail: for the command, for the option, and behind a pipe or in a substitution."""
    assert faults("lodestream jbos") == ["jbos in 'lodestream jbos'"]
    assert faults("lodestream jobs --sattus Failed") == ["--sattus in 'lodestream jobs --sattus Failed'"]
    assert len(faults("TOKEN=$(lodestream tokens make ci)")) == 1
    assert faults("lodestream watch ID --json | jq -r .noted") == []
