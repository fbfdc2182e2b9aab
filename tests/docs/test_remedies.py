"""What messages and documents tell a reader to do exists: commands with their arguments, modules, files."""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bootstrap.arguments import make_parser, parse_arguments

ROOT = Path(__file__).resolve().parents[2]
#: Folders with code whose messages people read.
CODE = ("plugins", "bootstrap", "dags", "stack", "spark_jobs", "reports", "deploy", "benchmarks")
VERBS = {name for action in make_parser()._actions for name in action.choices or ()}
#: Stands for what a message fills in.
FILLED = "FILLED"
#: What a filled-in or a named argument may be, so that one of them fits where only some words do.
STAND_INS = (
    "x",
    "local",
    "kubernetes",
    "dev",
    "small",
    "status",
    "up",
    "build",
    "lint",
    "1",
    "1/2",
    "api",
    "check",
    "{}",
)
COMMAND = re.compile(r"python3? -m bootstrap(?![\w./:])")
#: Ends a command in a sentence.
END = re.compile(r"[`;\n(→#]|, |\. |: |\)|\.$|,$|:$| && | \| | > ")
#: Words with which a sentence goes on behind a command.
GOES_ON = ("and", "brings", "does", "on", "or")
MODULE = re.compile(r"\b(?:data_platform|bootstrap)(?:\.[A-Za-z_]\w*)+")
DOCUMENT = re.compile(r"\bdocs/[\w./<>*-]*[\w>*/]")
#: Names with dots that are no modules of ours, and why.
NO_MODULES = {
    "bootstrap.dcs": "a setting of Patroni",
    "data_platform.alerts": "a logger that people filter by",
}


class Said(NamedTuple):
    """A text that people read, and where it stands."""

    where: str
    text: str


def texts_of_code(source: str) -> Iterator[str]:
    """All texts of a module; what is filled in is one word."""
    tree = ast.parse(source)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else FILLED for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def everything_said() -> list[Said]:
    """Texts of the code, and documents."""
    found = [
        Said(str(path.relative_to(ROOT)), text)
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for text in texts_of_code(path.read_text(encoding="utf-8"))
    ]
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    documents += [
        path
        for folder in CODE
        for kind in ("md", "yaml", "html", "tpl", "sh", "cfg", "j2")
        for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    # A changelog tells of verbs that are gone, too.
    return found + [
        Said(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for path in sorted(set(documents))
        if path.name != "CHANGELOG.md"
    ]


def commands(text: str) -> Iterator[str]:
    """Arguments of each command of ours in a text."""
    for match in COMMAND.finditer(text):
        rest = text[match.end() :]
        if text[: match.start()].endswith("`"):
            # As code in a text, whose lines end anywhere.
            rest = " ".join(rest.partition("`")[0].split())
        found = END.split(rest, maxsplit=1)[0].strip()
        yield found[:-1] if found[-1:] in ("'", '"') and found.count(found[-1]) % 2 else found


def parses(words: list[str]) -> bool:
    """Whether the command line takes these words, with something in the place of what is filled in."""
    open_places = [i for i, word in enumerate(words) if FILLED in word or is_name(word)]
    for chosen in itertools.product(STAND_INS, repeat=min(len(open_places), 3)):
        tried = list(words)
        for i, value in zip(open_places, chosen, strict=False):
            tried[i] = value
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
            state = [] if tried[0] == "diff" or "--state" in tried else ["--state", "/nowhere/state"]
            parse_arguments([*tried, *state])
            return True
    return False


def is_name(word: str) -> bool:
    """Whether a word stands for something that the reader puts in: COMPONENT, A,B, HOST/PATH."""
    return bool(re.fullmatch(r"[A-Z_/,|.…]+", word)) and any(sign.isalpha() for sign in word)


def is_command(said: str) -> bool:
    """Whether a command is taken; a sentence may go on behind it."""
    plain = re.sub(r"[\[\]]", " ", re.sub(r"<[^>]*>|(?<!\S)…", FILLED, said))
    try:
        words = shlex.split(plain)
    except ValueError:
        words = plain.split()
    words = [word.split("|")[0] for word in words]
    ends = [end for end in range(len(words) + 1) if end == len(words) or words[end] in GOES_ON]
    return any(end == 0 or parses(words[:end]) for end in ends)


def is_module(name: str) -> bool:
    """Whether there is such a module, or such a name in one."""
    parts = name.split(".")
    base = ROOT / "plugins" if parts[0] == "data_platform" else ROOT
    if FILLED in name:
        parts = parts[: next(i for i, part in enumerate(parts) if FILLED in part)]
    for end in range(len(parts), 0, -1):
        path = base.joinpath(*parts[:end])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if not path.is_dir() and not file.exists():
            continue
        if end == len(parts):
            return True
        return file.exists() and parts[end] in names_of(file)
    return False


def names_of(file: Path) -> set[str]:
    """What a module defines."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def is_document(path: str) -> bool:
    """Whether there is such a file or folder; what a name stands for is any."""
    pattern = re.sub(r"<[^>]*>|FILLED|\*|(?<=/)[A-Z]+(?=\.md)", "*", path).rstrip("/.")
    return any(ROOT.glob(pattern))


@pytest.fixture(scope="module")
def said() -> list[Said]:
    return everything_said()


def test_every_command_that_is_named_is_taken_by_the_command_line(said: list[Said]) -> None:
    named = sorted({(each.where, command) for each in said for command in commands(each.text)})
    # A document may speak of a verb without what it needs.
    named = [(where, command) for where, command in named if not (command in VERBS and where.endswith(".md"))]
    assert len({command for _, command in named}) > 60
    assert [(where, command) for where, command in named if not is_command(command)] == []


def test_every_module_that_is_named_is_there(said: list[Said]) -> None:
    named = {(each.where, name) for each in said for name in MODULE.findall(each.text) if name not in NO_MODULES}
    assert len({name for _, name in named}) > 40
    assert sorted((where, name) for where, name in named if not is_module(name)) == []


def test_every_document_that_is_named_is_there(said: list[Said]) -> None:
    named = {(each.where, path) for each in said for path in DOCUMENT.findall(each.text)}
    assert len({path for _, path in named}) > 40
    assert sorted((where, path) for where, path in named if not is_document(path)) == []


@pytest.mark.parametrize(
    "command",
    ["images load", "images load /x.tar", "up --no-such-option", "up at once --force", "restart FILLED", "rotate",
     "test no-such-room", "run", "images list --archive"],
)  # fmt: skip
def test_a_command_that_is_not_there_is_found(command: str) -> None:
    assert not is_command(command)


@pytest.mark.parametrize(
    "command",
    ["up", "up and look again", "up --only FILLED", "logs FILLED", "rotate HOLDER [SECRET]", "check [COMPONENT…]",
     "up --environment NAME|FILE", "cluster up --level FILLED", "images push HOST/PATH", "test deep --part K/N"],
)  # fmt: skip
def test_a_command_that_is_there_is_not(command: str) -> None:
    assert is_command(command)


@pytest.mark.parametrize(
    "name", ["data_platform.dagkit.pods", "bootstrap.no_such", "data_platform.clients.http.nothing"]
)
def test_a_module_that_is_not_there_is_found(name: str) -> None:
    assert not is_module(name)


def test_a_document_that_is_not_there_is_found() -> None:
    assert not is_document("docs/how-to/no-such-page.md")
    assert is_document("docs/datasets/<dataset>.md")


def test_a_command_within_a_message_is_found_with_what_is_filled_in() -> None:
    source = (
        "def f(a):\n    return f'it is red: python3 -m bootstrap logs {a}, or '\\\n        'python3 -m bootstrap up'\n"
    )
    found = [command for text in texts_of_code(source) for command in commands(text)]
    assert found == ["logs FILLED", "up"]
