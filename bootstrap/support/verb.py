"""`support`: gather, redact, write, and say what lacks."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bootstrap.arguments import ROOT
from bootstrap.cache import shown
from bootstrap.place import refuse_another_target
from bootstrap.progress import Progress
from bootstrap.support import archive, clusters, definitions, known, logs, looks
from bootstrap.support.archive import Entry, Part
from bootstrap.support.gather import Source, gather
from bootstrap.support.known import CLUSTER, STATE, Known
from bootstrap.support.redaction import SHORTEST, Redactor
from bootstrap.support.scene import Scene
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.state import State

#: Deadlines, in seconds: of the look at what is secret, and of all other parts, which are gathered at the same time.
_SECRETS, _SECONDS = 60.0, 180.0


def support(arguments: argparse.Namespace) -> int:
    """Write one redacted archive for who helps from afar; 0 also where parts of it could not be had, which it names.

    Raises:
        PlatformError: the archive cannot be written there, or the platform is of another target than was said.
    """
    at = datetime.now(UTC).replace(microsecond=0)
    scene = Scene(arguments, State(arguments.state))
    if scene.target_name != (arguments.target or scene.target_name):
        refuse_another_target(scene.state, scene.state.settings(), arguments)
    path = archive.place_for(arguments.output or Path(f"data-platform-support-{at:%Y%m%dT%H%M%SZ}.tar.gz"))
    progress = Progress()

    def told(part: Part) -> None:
        count = f"{len(part.entries)} file{'' if len(part.entries) == 1 else 's'}"
        progress.say(part.name, f"{count}[yellow]{', not whole' if part.lacks else ''}[/]")

    secrets = Known()
    # First of all: what may hold a secret is taken only where all of them are known.
    first = Source("secrets", "which values are to be redacted", _SECRETS, partial(_know, scene, secrets))
    parts = gather([first], told)
    parts += gather(_sources(scene, secrets), told)
    redactor = Redactor(secrets.values.copy(), frozenset(secrets.public), _places(scene.state))
    about: dict[str, Any] = {"format": 1, "target": scene.target_name, "shortest_value_searched_for": SHORTEST}
    packed = archive.write(path, parts, redactor, at, about)
    places = sum(packed.redacted.values())
    print(f"{packed.path}: {packed.files} files, {shown(packed.size)}; something was redacted in {places} places.")
    if lacking := [part for part in parts if part.lacks]:
        names = ", ".join(part.name for part in lacking)
        print(f"It lacks, in whole or in part: {names}. Why is in its {archive.README}.")
    print("Look through it before you send it: what it may hold is in docs/how-to/ask-for-help.md.")
    return 0


def _know(scene: Scene, secrets: Known) -> Iterator[Entry]:
    """Fill in what is known; gives no file."""
    found = known.of_machine(scene.state)
    secrets.values, secrets.public, secrets.blind = found.values, found.public, found.blind
    yield from ()
    if not scene.is_on_cluster:
        known.add_names(secrets, scene.stack())
        return
    secrets.blind[CLUSTER] = f"the Secrets of the cluster were not read within {_SECRETS:.0f} s"
    try:
        known.add_names(secrets, scene.stack())
        with scene.target() as target:
            if isinstance(target, KubernetesTarget):
                known.add_cluster(secrets, target.cluster, target.stack)
    except PlatformError as error:
        secrets.blind[CLUSTER] = str(error)
        raise
    del secrets.blind[CLUSTER]


def _sources(scene: Scene, secrets: Known) -> list[Source]:
    def part(name: str, what: str, look: Callable[[], Iterator[Entry]]) -> Source:
        return Source(name, what, _SECONDS, look)

    def speaking(name: str, what: str, look: Callable[[Scene], Iterator[Entry]]) -> Source:
        """A part that quotes servers."""
        return part(name, what, partial(_unless_blind, scene, secrets, look))

    found = [
        part("versions", "release, machine, components and digests", partial(definitions.versions, scene)),
        part("definitions", "stack, components, settings", partial(definitions.definitions, scene)),
        speaking("status", "components, states, newest checks", looks.status),
        speaking("checks", "results of checks as they were kept", looks.checks),
        speaking("leases", "who changes the platform, whose turn it is", looks.open_leases),
        speaking("drift", "what is not as declared", looks.drift),
        speaking("airflow", "runs, tasks that failed, import errors", looks.runs),
        part("disks", "what is used and free", partial(looks.disks, scene)),
        part("logs", "ends of the logs on this machine", partial(_machine_logs, scene, secrets)),
    ]
    if not scene.is_on_cluster:
        here = part("doctor", "what stands in the way on this machine", partial(looks.doctor, scene))
        return [*found, here]
    return [
        *found,
        part("cluster", "versions, nodes, what stands in the way", partial(clusters.cluster, scene)),
        # These two look for each namespace whether its secrets are known.
        part("objects", "pods, events, releases", partial(clusters.objects, scene, secrets)),
        part("containers", "ends of the logs of containers", partial(clusters.logs, scene, secrets)),
    ]


def _unless_blind(scene: Scene, secrets: Known, look: Callable[[Scene], Iterator[Entry]]) -> Iterator[Entry]:
    places = [place for place in secrets.blind if (place != STATE) == scene.is_on_cluster]
    _refuse_blind([secrets.blind[place] for place in places])
    yield from look(scene)


def _refuse_blind(reasons: list[str]) -> None:
    if reasons:
        raise PlatformError(
            f"left out, for it is not known what would have to be redacted: {'; '.join(reasons)}",
            "mend that, and run it again",
        )


def _machine_logs(scene: Scene, secrets: Known) -> Iterator[Entry]:
    """On a cluster these are of the servers of a test cluster: what `up` wrote down of secrets is enough for them."""
    blind = secrets.blind.copy()
    if scene.state.credentials_file.exists():
        blind = {STATE: blind[STATE]} if STATE in blind else {}
    _refuse_blind([*blind.values()])
    yield from logs.on_machine(scene.state)


def _places(state: State) -> dict[str, str]:
    """What is told otherwise: where things are on this machine, and its name."""
    found = {str(state.folder): "<state>", str(ROOT): "<checkout>", str(cache_folder()): "<cache>"}
    with suppress(RuntimeError):
        found[str(Path.home())] = "~"
    name = platform.node()
    found |= {name: "host", name.partition(".")[0]: "host"}
    return {place: word for place, word in found.items() if len(place) > len("/a") and place != "localhost"}
