"""What is there is documented, and what the documents point to is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
#: Folders that hold no project files: caches, state folders, other people's packages.
_FOREIGN = re.compile(r"^(\.(?!ci$|github$)|__pycache__$|node_modules$|build$|dist$|.*\.egg-info$)")
README_LINES = 40
COMPONENTS = sorted(path.parent.name for path in (ROOT / "stack" / "components").glob("*/*/component.yaml"))
FOLDERS = sorted(p for p in ROOT.iterdir() if p.is_dir() and not _FOREIGN.match(p.name) and any(p.rglob("*.*")))
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|<(?:img|a)\s[^>]*(?:src|href)=\"([^\"]+)\"")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
#: A path of this checkout in a message, comment or text.
_MENTION = re.compile(r"(?<![\w/.-])((?:docs|locks|benchmarks|tests)/[\w./-]+\.(?:md|json|txt|py|svg|png))\b")


def documents() -> list[Path]:
    """All Markdown files of the project."""
    return sorted(p for p in ROOT.rglob("*.md") if not any(_FOREIGN.match(part) for part in p.relative_to(ROOT).parts))


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a document, as the usual renderers make them."""
    headings = re.findall(r"^#+\s+(.+?)\s*#*$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(document: Path) -> Iterator[str]:
    """Relative links of a document that lead to nothing."""
    text = document.read_text(encoding="utf-8")
    for match in _LINK.finditer(_CODE.sub("", _FENCE.sub("", text))):
        target = unquote(match[1] or match[2])
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        place = document.parent / path if path else document
        if not place.exists():
            yield f"{target}: there is no such file"
        elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text(encoding="utf-8")):
            yield f"{target}: there is no such heading"


def test_there_are_documents() -> None:
    assert len(documents()) >= 10
    assert ROOT / "README.md" in documents()


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document: Path) -> None:
    assert list(broken_links(document)) == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A heading, here\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n[good](other.md) [good](other.md#a-heading-here) [good](#page) [far](https://example.org/x)\n"
        '`[code](nowhere.md)` ![bad](none.png) <img src="none.svg"> [bad](other.md#no-heading) [bad](#other)\n'
        "```\n[fenced](nowhere.md)\n```\n"
    )
    assert [problem.partition(":")[0] for problem in broken_links(page)] == [
        "none.png",
        "none.svg",
        "other.md#no-heading",
        "#other",
    ]


def sources() -> list[Path]:
    """Files whose messages and comments name documents."""
    found = [*ROOT.glob("*.toml"), *ROOT.glob("*.yml"), *documents()]
    for folder in ("bootstrap", "plugins", "dags", "stack", "benchmarks", "spark_jobs"):
        found += [p for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".yaml", ".md", ".cfg", ".html", ".sh")]
    return sorted({p for p in found if not any(_FOREIGN.match(part) for part in p.relative_to(ROOT).parts)})


def mentioned(path: Path) -> set[str]:
    """Documents that a file names; `locks/NAME.txt` stands for several."""
    found: list[str] = _MENTION.findall(path.read_text(encoding="utf-8"))
    return {name for name in found if Path(name).stem != "NAME"}


def test_documents_that_messages_and_comments_name_are_there() -> None:
    named = {(name, str(path.relative_to(ROOT))) for path in sources() for name in mentioned(path)}
    assert len(named) >= 5
    missing = {name: where for name, where in sorted(named) if not (ROOT / name).exists()}
    assert missing == {}


def test_a_mention_of_a_document_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        '"see docs/how-to/nothing.md" # /etc/docs/no.md ../docs/neither.md docs/reference/ locks/NAME.txt\n'
    )
    assert mentioned(path) == {"docs/how-to/nothing.md"}


def test_there_are_folders() -> None:
    assert {"bootstrap", "dags", "docs", "locks", "plugins", "stack", "tests"} <= {p.name for p in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_folder_at_the_top_explains_itself_in_one_page(folder: Path) -> None:
    readme = folder / "README.md"
    assert readme.is_file(), f"{readme.relative_to(ROOT)} is missing"
    lines = readme.read_text(encoding="utf-8").splitlines()
    assert 3 <= len(lines) <= README_LINES, f"{readme.relative_to(ROOT)} has {len(lines)} lines"


def names_in(text: str, names: list[str]) -> list[str]:
    """Those of the names that a text does not have as a word, whatever the case."""
    return [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE)]


@pytest.mark.parametrize("document", ["docs/reference/components.md", "docs/status.md"])
def test_every_component_is_named(document: str) -> None:
    assert len(COMPONENTS) >= 8
    assert (ROOT / document).is_file(), f"{document} is missing"
    assert names_in((ROOT / document).read_text(encoding="utf-8"), COMPONENTS) == []


def test_a_component_that_is_not_named_is_found() -> None:
    assert names_in("PostgreSQL and spark-operator.", ["postgresql", "spark", "trino"]) == ["spark", "trino"]


def test_every_dag_and_every_verb_is_named_outside_the_reference() -> None:
    from docs import generate

    verbs = [f"bootstrap {verb}" for verb in ("up", "status", "check", "logs", "doctor", "down", "test")]
    dags = ["stack_deploy", "stack_health", "stack_drift"]
    written = [p for p in documents() if generate.REFERENCE not in p.parents]
    text = "\n".join(p.read_text(encoding="utf-8") for p in written)
    assert [word for word in (*verbs, *dags) if word not in text] == []


def test_every_profile_is_documented() -> None:
    profiles = list(yaml.safe_load((ROOT / "stack" / "stack.yaml").read_text(encoding="utf-8"))["profiles"])
    assert "seaweedfs" in profiles
    written = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in written if path.exists())
    assert names_in(text, profiles) == []
