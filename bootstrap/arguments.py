"""The command line. Standard library only."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bootstrap import folders
from data_platform.targets.local.cache import cache_folder

ROOT = Path(__file__).resolve().parent.parent
#: Instead of rooms: everything that needs a platform or a cluster, and the record of it (proof/).
DEEP, DEEP_ROOMS = "deep", ("e2e", "drills", "cluster")
TEST_ROOMS = ("lint", "unit", "dags", "docs", "render", "integration", "cluster", "e2e", "drills")
#: Actions of `files` that people must give a reason for.
DECISIONS = ("accept", "take-back")
_DIFF = "what two environments would deploy, where they differ; needs no platform"
_ADOPT = "take over a state folder that was moved or restored here, when its original is gone"


def make_parser() -> argparse.ArgumentParser:
    """The command line; docs/reference/commands.md is generated from it."""
    parser = argparse.ArgumentParser(prog="python3 -m bootstrap", description="Brings up the data platform.")
    state, environment, target = _common()
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        parents = parents or (state, environment, target)
        return verbs.add_parser(name, parents=parents, help=text, description=text)

    up = verb("up", "everything from an empty machine to a proven platform; safe to repeat")
    up.add_argument(
        "--context", metavar="NAME", help="kubernetes: context of your kubeconfig (default: the test cluster)"
    )
    up.add_argument(
        "--size", choices=["small", "production"], help="kubernetes: how much of everything (default: small)"
    )
    up.add_argument("--registry", metavar="HOST/PATH", help="kubernetes: from where nodes pull the platform's images")
    up.add_argument("--profile", metavar="NAME", help="a profile of stack/stack.yaml (default: the one in use)")
    up.add_argument("--only", metavar="A,B", default="", help="only these components and what they depend on")
    up.add_argument("--foreground", action="store_true", help="stay until interrupted, then stop the platform")
    up.add_argument("--adopt", action="store_true", help=_ADOPT)
    up.add_argument(
        "--proven", type=Path, metavar="FILE", help="what the environment before has proven; refuse all else to deploy"
    )

    status = verb(
        "status", "components, addresses, state and last checks; pipelines, and what to do about those that need it"
    )
    status.add_argument("--json", action="store_true", help="for programs")
    check = verb("check", "run checks now")
    check.add_argument("components", nargs="*", metavar="COMPONENT", help="whose checks (default: all)")
    logs = verb("logs", "last lines of a component's logs")
    logs.add_argument("component", metavar="COMPONENT", help="whose logs")
    logs.add_argument("--lines", type=_count, default=100, metavar="N", help="how many of each log (default: 100)")
    forward = verb("forward", "lead ports of this machine to the pages of a platform on Kubernetes, until interrupted")
    forward.add_argument("components", nargs="*", metavar="COMPONENT", help="whose pages (default: all)")
    _add_support(verb("support", "one archive, without secrets, of what somebody who helps from afar wants to see"))
    verb("doctor", "what is missing on this machine, before anything starts", state)
    ingest = verb("ingest", "put files where a dataset's flow takes them")
    ingest.add_argument("dataset", metavar="DATASET", help="name of the dataset")
    ingest.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what to copy there")
    _add_files(verb("files", "files of a dataset: what became of them, and what people decide about them"))
    run = verb("run", "trigger a DAG, follow it, and exit with its outcome")
    run.add_argument("dag", metavar="DAG_ID", help="which DAG")
    run.add_argument("--conf", default="{}", metavar="JSON", help="parameters of the run")
    rotate = verb("rotate", "give secrets other values, and restart who holds them")
    rotate.add_argument("holder", metavar="COMPONENT", help="a component, or an identity of stack/stack.yaml")
    rotate.add_argument("secret", nargs="?", default="", metavar="SECRET", help="one of its secrets (default: all)")
    down = verb("down", "stop the platform")
    down.add_argument("--purge", action="store_true", help="remove its data and secrets too; what you put there stays")
    down.add_argument("--adopt", action="store_true", help=f"first {_ADOPT}")
    verb("proven", "the record, as JSON, of what this platform has proven, for the next environment's up --proven")
    diff = verbs.add_parser("diff", help=_DIFF, description=_DIFF)
    diff.add_argument(
        "--environment", nargs=2, required=True, metavar=("A", "B"), help="two environments: names, or paths of files"
    )
    diff.add_argument("--json", action="store_true", help="for programs")
    cluster = verb("cluster", "a Kubernetes with one node on this machine, for tests and labs", state, environment)
    cluster.add_argument("action", choices=["up", "down", "status"], help="down removes all that it holds, too")
    cluster.add_argument(
        "--level", choices=["api", "full"], default="full", help="api: requests only, in seconds; full: pods too"
    )
    _add_cache(verb("cache", "how large the per-user cache is; prune: remove what no checkout uses any more", state))
    _add_images(
        verb("images", "the platform's container images, made of packages without a daemon", state, environment)
    )
    _add_test(verb("test", "run the tests", state))
    return parser


def _common() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """Options of several verbs: which state folder, which environment, which target."""
    state, environment, target = (argparse.ArgumentParser(add_help=False) for _ in range(3))
    state.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="state folder (default: .platform/, or .platform-kubernetes/; of an environment .platform-NAME/)",
    )
    environment.add_argument(
        "--environment", metavar="NAME|FILE", help="one of environments/, or a file of that kind elsewhere"
    )
    target.add_argument(
        "--target",
        choices=folders.TARGETS,
        help="where components run (default: local, unless only the other one is there)",
    )
    return state, environment, target


def _add_files(files: argparse.ArgumentParser) -> None:
    files.add_argument(
        "action",
        choices=["list", *DECISIONS],
        help="accept: load what broke a rule or a bound of change; take-back: undo, or never do, the load of a file",
    )
    files.add_argument("dataset", metavar="DATASET", help="name of the dataset")
    files.add_argument("file", nargs="?", default="", metavar="FILE", help="its name, or the beginning of its digest")
    files.add_argument("--why", default="", metavar="TEXT", help="the reason; it is kept with who and when")


def _add_cache(cached: argparse.ArgumentParser) -> None:
    cached.add_argument("action", choices=["show", "prune"], help="prune: what is being made or runs stays")
    cached.add_argument("--dry-run", action="store_true", help="prune: only say what would be removed")


def _add_support(support: argparse.ArgumentParser) -> None:
    support.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to (default: data-platform-support-TIME.tar.gz in the current folder); it must not be there",
    )


def _add_images(images: argparse.ArgumentParser) -> None:
    images.add_argument("action", choices=["build", "push", "list"], help="push: to a registry, what was built")
    images.add_argument("registry", nargs="?", metavar="HOST/PATH", help="push: where to (default: the environment's)")
    images.add_argument("--profile", metavar="NAME", help="a profile of stack/stack.yaml")
    images.add_argument("--archive", type=Path, metavar="FILE", help="build: also write all of them as one tar file")
    images.add_argument(
        "--new-base", action="store_true", help="build: the base again, with Debian's packages of today"
    )
    images.add_argument("--compression", choices=["gzip", "zstd"], default="gzip", help="push: of the layers")
    images.add_argument("--plain-http", action="store_true", help="push: the registry speaks HTTP without TLS")


def _add_test(test: argparse.ArgumentParser) -> None:
    test.add_argument(
        "rooms",
        nargs="*",
        metavar="ROOM",
        help=f"some of {', '.join(TEST_ROOMS)} (default: all, with an example of what takes long); or: {DEEP}",
    )
    test.add_argument("--part", type=_part, metavar="K/N", help="deep: one of N parts of about the same length")
    test.add_argument("--room", choices=DEEP_ROOMS, default="", help="deep: this room alone")
    test.add_argument(
        "-k", dest="words", default="", metavar="WORDS", help="deep: tests whose names fit, as pytest does"
    )
    test.add_argument("--since", default="", metavar="COMMIT", help="deep: what a change since then can have broken")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _part(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is no part: 2/5 is the second one of five")
    return int(number), int(count)


def _empty(words: Sequence[str]) -> str:
    """Name of an argument that says nothing; empty when there is none.

    Nothing is meant by one: a default would take the place of what a script was to say.
    """
    for before, word in zip(("", *words), words, strict=False):
        name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        if not value.strip(" \t\r\n,") and (equals or not name):
            return name or (before if before.startswith("--") else "an argument")
    return ""


def _of_others(state: Path) -> str:
    """What lies in or around a folder, so that it is no state folder; empty when nothing does."""
    home = [(Path(found), "your home folder")] if (found := os.environ.get("HOME")) else []
    for place, what in ((ROOT, "the checkout"), *home, (cache_folder(), "the cache")):
        if state == place.resolve():
            return what
        if state in place.resolve().parents:
            return f"a folder around {what}"
    return ""


def _environments(parser: argparse.ArgumentParser, asked: Sequence[str]) -> list[str]:
    """Names of environments that were asked for."""
    try:
        return [folders.environment_file(ROOT, text).stem for text in asked]
    except ValueError as error:
        parser.error(f"--environment: {error}")


def _choose_state(parser: argparse.ArgumentParser, found: argparse.Namespace) -> None:
    """The state folder that is meant, for every verb by the same rule."""
    asked = getattr(found, "environment", None)
    (environment,) = _environments(parser, [asked]) if asked else (None,)
    if found.state is None and found.verb == "cluster":
        found.state = folders.of_cluster(ROOT, environment)
    elif found.state is None:
        # Of this machine alone are the verbs that know no target.
        found.state = folders.default(ROOT, getattr(found, "target", folders.LOCAL), environment)
    # One folder has one name, or a platform that is reached through a link would look changed.
    found.state = found.state.resolve()
    if what := _of_others(found.state):
        parser.error(f"--state {found.state} is {what}: give the platform a folder of its own, such as .platform/")


def _refuse_files(parser: argparse.ArgumentParser, found: argparse.Namespace) -> None:
    if found.action in DECISIONS and not (found.file and found.why):
        parser.error(f"files {found.action} needs a FILE and --why")
    if found.action not in DECISIONS and (found.file or found.why):
        parser.error(f"files {found.action} takes a DATASET alone")


def _refuse_cache(parser: argparse.ArgumentParser, found: argparse.Namespace) -> None:
    if found.action != "prune" and found.dry_run:
        parser.error("only cache prune takes --dry-run")


def _refuse_images(parser: argparse.ArgumentParser, found: argparse.Namespace) -> None:
    if found.action != "push" and found.registry:
        parser.error("only images push takes a registry")
    if found.action == "push" and not (found.registry or found.environment):
        parser.error("images push needs a registry, or an environment that says one")


def _refuse_test(parser: argparse.ArgumentParser, found: argparse.Namespace) -> None:
    if found.rooms == [DEEP]:
        return
    if DEEP in found.rooms:
        parser.error(f"{DEEP} stands alone; one room of it is: test {DEEP} --room ROOM")
    if found.part or found.room or found.words or found.since:
        parser.error(f"--part, --room, -k and --since are for: test {DEEP}")
    if unknown := [room for room in found.rooms if room not in TEST_ROOMS]:
        parser.error(f"unknown test rooms: {', '.join(unknown)}; there are {', '.join(TEST_ROOMS)}")


#: What argparse cannot refuse: words that do not go together, by verb.
_REFUSALS = {"files": _refuse_files, "cache": _refuse_cache, "images": _refuse_images, "test": _refuse_test}


def parse_arguments(words: list[str]) -> argparse.Namespace:
    """Arguments of one call; exits with 2 and the usage where they are wrong."""
    parser = make_parser()
    if empty := _empty(words):
        parser.error(
            f"{empty} is empty (is a variable not set?): give it a value, or leave it out where it has a default"
        )
    found = parser.parse_args(words)
    if found.verb == "diff":
        _environments(parser, found.environment)
        return found
    _choose_state(parser, found)
    if refuse := _REFUSALS.get(found.verb):
        refuse(parser, found)
    return found
