"""The command line says what it takes, and refuses the rest with the usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap import arguments
from bootstrap.arguments import ROOT, TEST_ROOMS, parse_arguments
from bootstrap.commands import _VERBS, Verb
from tests.unit.bootstrap.test_folders import platform

LEAST = {
    "up": [],
    "status": [],
    "check": [],
    "logs": ["trino"],
    "forward": [],
    "support": [],
    "doctor": [],
    "ingest": ["fx_rates", "a.csv"],
    "files": ["list", "fx_rates"],
    "run": ["stack_deploy"],
    "rotate": ["nessie"],
    "down": [],
    "proven": [],
    "diff": ["--environment", "dev", "staging"],
    "cache": ["show"],
    "images": ["list"],
    "cluster": ["status"],
    "test": [],
}


#: Verbs that act on a platform, wherever it runs.
ON_A_PLATFORM = {
    "up",
    "status",
    "check",
    "forward",
    "logs",
    "ingest",
    "files",
    "run",
    "rotate",
    "down",
    "proven",
    "support",
}
#: Verbs that know no state folder.
STATELESS = {"diff"}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without any platform."""
    monkeypatch.setattr(arguments, "ROOT", tmp_path / "checkout")
    return tmp_path / "checkout"


@pytest.mark.parametrize("verb", sorted(LEAST))
def test_every_verb_has_a_function(verb: str) -> None:
    found = parse_arguments([verb, *LEAST[verb]])
    assert found.verb == verb
    function = _VERBS[verb]
    assert isinstance(function, Verb)
    assert callable(function.load())


@pytest.mark.parametrize("verb", sorted(LEAST.keys() - STATELESS))
def test_every_verb_finds_its_state_folder(verb: str, checkout: Path) -> None:
    def state(*words: str) -> Path:
        found: Path = parse_arguments([verb, *words, *LEAST[verb]]).state
        return found

    kubernetes = checkout / ".platform-kubernetes"
    assert state() == (kubernetes if verb == "cluster" else checkout / ".platform")
    platform(checkout, ".platform-kubernetes", "kubernetes")
    # One on a cluster is nothing to what looks at this machine alone.
    assert state() == (kubernetes if verb in {*ON_A_PLATFORM, "cluster"} else checkout / ".platform")
    platform(checkout, ".platform")
    assert state() == (kubernetes if verb == "cluster" else checkout / ".platform")
    if verb in ON_A_PLATFORM:
        assert state("--target", "kubernetes") == kubernetes
        assert state("--target", "local") == checkout / ".platform"
    if verb in {*ON_A_PLATFORM, "cluster", "images"}:
        assert state("--environment", "staging") == checkout / ".platform-staging"
        assert state("--environment", "/etc/bank/prod.yaml") == checkout / ".platform-prod"
        assert state("--environment", "staging", "--state", str(checkout / "x")) == checkout / "x"


def test_every_verb_of_the_code_is_on_the_command_line() -> None:
    assert set(_VERBS) == set(LEAST)


def test_a_relative_state_folder_is_of_the_callers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_arguments(["status", "--state", "other"]).state == tmp_path / "other"


def test_up_takes_its_options() -> None:
    found = parse_arguments(["up", "--profile", "seaweedfs", "--only", "trino,s3", "--foreground", "--target", "local"])
    assert (found.profile, found.only, found.foreground, found.target) == ("seaweedfs", "trino,s3", True, "local")


def test_several_files_are_ingested() -> None:
    found = parse_arguments(["ingest", "fx_rates", "a.csv", "b.csv"])
    assert found.files == [Path("a.csv"), Path("b.csv")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "VERB"),
        (["deploy"], "deploy"),
        (["logs"], "COMPONENT"),
        (["up", "--target", "moon"], "moon"),
        (["up", "--force"], "--force"),
        (["ingest", "fx_rates"], "FILE"),
        (["files", "drop", "fx_rates"], "invalid choice: 'drop'"),
        (["files", "accept", "fx_rates", "a.csv"], "files accept needs a FILE and --why"),
        (["files", "take-back", "fx_rates", "--why", "wrong"], "files take-back needs a FILE and --why"),
        (["files", "accept", "fx_rates", "a.csv", "--why", " "], "--why is empty"),
        (["files", "list", "fx_rates", "a.csv"], "files list takes a DATASET alone"),
        (["logs", "trino", "--lines", "many"], "many"),
        (["test", "unitt"], "unknown test rooms: unitt"),
        (["test", "deep", "e2e"], "deep stands alone; one room of it is: test deep --room ROOM"),
        (["test", "--part", "1/2"], "--part, --room, -k and --since are for: test deep"),
        (["test", "e2e", "-k", "word"], "--part, --room, -k and --since are for: test deep"),
        (["test", "deep", "--part", "3/2"], "'3/2' is no part: 2/5 is the second one of five"),
        (["test", "deep", "--part", "2"], "'2' is no part"),
        (["test", "deep", "--part", "0/2"], "'0/2' is no part"),
        (["test", "deep", "--room", "unit"], "invalid choice: 'unit'"),
        (["up", "--environment", "Staging"], "--environment: 'Staging' is no environment"),
        (["cluster", "up", "--environment", "kubernetes"], "kubernetes is a target"),
        (["diff", "--environment", "dev"], "expected 2 arguments"),
        (["diff"], "--environment"),
        (["diff", "--environment", "dev", "a.yml"], "--environment: 'a.yml' is no environment"),
        (["doctor", "--target", "local"], "--target"),
        (["images", "push"], "images push needs a registry, or an environment that says one"),
        (["images", "list", "x.example"], "only images push takes a registry"),
        (["status", "--state", "/"], "--state / is a folder around the checkout"),
        (["down", "--purge", "--state", str(ROOT)], "is the checkout"),
        (["down", "--purge", "--state", str(ROOT.parent)], "is a folder around the checkout"),
    ],
)
def test_wrong_arguments_end_with_2_and_say_why(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(words)
    assert caught.value.code == 2
    shown = capsys.readouterr().err
    assert "usage: python3 -m bootstrap" in shown
    assert said in shown


@pytest.mark.parametrize("value", ["", " ", "\t", " , "])
@pytest.mark.parametrize(
    "option", ["--state", "--environment", "--context", "--registry", "--profile", "--only", "--proven"]
)
def test_an_option_of_up_that_says_nothing_is_no_default(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for written in ([option, value], [f"{option}={value}"]):
        with pytest.raises(SystemExit) as caught:
            parse_arguments(["up", *written])
        assert caught.value.code == 2
        assert f"{option} is empty (is a variable not set?)" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(LEAST.keys() - STATELESS))
def test_no_verb_takes_an_empty_state_folder_for_another_one(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments([verb, "--state", "", *LEAST[verb]])
    assert caught.value.code == 2
    assert "--state is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["check", ""],
        ["logs", ""],
        ["run", ""],
        ["rotate", "nessie", ""],
        ["run", "stack_deploy", "--conf", ""],
        ["images", "push", ""],
        ["images", "build", "--archive", ""],
        ["ingest", "fx_rates", ""],
        ["test", ""],
    ],
    ids=" ".join,
)
def test_an_empty_word_of_any_verb_is_an_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(words)
    assert caught.value.code == 2
    assert "is empty" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["your home folder", "the cache"])
def test_a_state_folder_is_not_where_other_things_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    place = tmp_path / "some" / "place"
    monkeypatch.setenv("HOME" if what == "your home folder" else "DATA_PLATFORM_CACHE", str(place))
    (tmp_path / "link").symlink_to(place)
    for folder in (place, place.parent, tmp_path, tmp_path / "link", place / ".." / "place"):
        with pytest.raises(SystemExit) as caught:
            parse_arguments(["up", "--state", str(folder)])
        assert caught.value.code == 2
        assert what in capsys.readouterr().err
    assert parse_arguments(["up", "--state", str(place / "platform")]).state == place / "platform"


def test_the_default_is_refused_where_it_leads_to_such_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Path, "resolve", lambda self: tmp_path if self.name == ".platform" else self)
    with pytest.raises(SystemExit):
        parse_arguments(["down", "--purge"])
    assert "your home folder" in capsys.readouterr().err


def test_rooms_of_tests_are_chosen_by_name() -> None:
    assert parse_arguments(["test", *TEST_ROOMS]).rooms == list(TEST_ROOMS)


def test_a_part_of_the_deep_run_is_chosen_by_numbers() -> None:
    found = parse_arguments(["test", "deep", "--part", "2/5", "--room", "drills", "--since", "main", "-k", "kill"])
    assert (found.rooms, found.part, found.room) == (["deep"], (2, 5), "drills")
    assert (found.since, found.words) == ("main", "kill")
    whole = parse_arguments(["test", "deep"])
    assert (whole.part, whole.room, whole.since, whole.words) == (None, "", "", "")


@pytest.mark.parametrize("lines", ["0", "-5", "many"])
def test_a_number_of_lines_that_shows_nothing_is_refused(lines: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["logs", "trino", f"--lines={lines}"])
    assert "not a number above 0" in capsys.readouterr().err


def test_a_state_folder_reached_through_a_link_is_the_same_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert parse_arguments(["status", "--state", str(tmp_path / "link")]).state == tmp_path / "real"
