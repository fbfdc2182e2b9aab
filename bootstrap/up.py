"""`up` and `down`."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from bootstrap import environments, promote, runs, supervision
from bootstrap.arguments import ROOT
from bootstrap.cache import forget_unused
from bootstrap.doctor import refuse_unfit
from bootstrap.install import install
from bootstrap.lease import CommandLease
from bootstrap.locks import alone
from bootstrap.place import connect, make_target, refuse_another_target, remember
from bootstrap.progress import Progress
from bootstrap.report import print_summary
from bootstrap.rotate import begin_takeover, finish
from data_platform import lifecycle, promotion, rotation
from data_platform.clients.airflow import Airflow
from data_platform.datasets.landing.names import shown
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, LOCAL
from data_platform.targets.base import Target
from data_platform.targets.local import contents, mark
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

DEPLOY = "stack_deploy"
#: What proves that the deployed parts work together, on real data.
PIPELINE = "pipelines_fx_rates"
#: How many of the things that a purge leaves are named.
_SHOWN = 50


def up(arguments: argparse.Namespace) -> int:
    """Bring the platform up and prove it; 0 only when every check passed and the reference pipeline ran."""
    started = time.monotonic()
    state, progress = State(arguments.state), Progress()
    only = tuple(name.strip() for name in arguments.only.split(",") if name.strip())
    adopt = getattr(arguments, "adopt", False)
    mark.refuse_unclaimable(state, adopt=adopt)
    found = environments.given(arguments)
    with alone(state):
        mine = mark.claim(state, adopt=adopt)
        settings = environments.asked(state.folder, state.settings(), arguments, found)
        settings |= promote.required(settings, state.settings(), arguments.proven)
        place = settings.get("target", LOCAL)
        if place == KUBERNETES:
            from bootstrap import on_cluster

            prepared: tuple[Target, Callable[[], object]] = on_cluster.prepare(state, settings, mine.platform, progress)
        else:
            prepared = _prepare_local(state, settings, only, progress), lambda: None
        target, ready = prepared
        selected = target.stack.only(only)
        with closing(target):
            outcome = _bring_up(target, only, ready, progress)
            if place == KUBERNETES:
                on_cluster.write_credentials(state, target)
            first = [name for name, item in target.stack.components.items() if item.component.bootstrap]
            print_summary(target, state, sorted({*first, *selected}), time.monotonic() - started)
    if outcome != "success":
        return 1
    forget_unused(progress)
    if arguments.foreground and place == LOCAL:
        _stay(state)
    return 0


def _prepare_local(state: State, settings: Mapping[str, Any], only: tuple[str, ...], progress: Progress) -> LocalTarget:
    """Everything before the first component on this machine: what it lacks, the supervisor."""
    target = make_target(state.folder, settings)
    promotion.refuse_unproven(target.stack, settings)
    refuse_unfit(target, target.stack.only(only))
    remember(target, settings)
    supervision.ensure(target.state)
    for program in target.forget_strays():
        progress.say(program, "stopped: no component of the stack declares it")
    return target


def _bring_up(target: Target, only: tuple[str, ...], ready: Callable[[], object], progress: Progress) -> str:
    """Install what the bootstrap itself installs, wait for what the rest needs, then let Airflow do it.

    Returns success or failed.
    """
    is_taken_over = begin_takeover(target, only, progress)
    target.ensure_credentials()
    rotated: list[rotation.Secret] = []
    with CommandLease(target, "up", progress) as lease:
        if due := rotation.staged(target):
            lease.take()
            finish(target, due, progress)
            rotated += due
        for name, item in target.stack.components.items():
            if item.component.bootstrap:
                install(target, name, progress, lease)
                if late := rotation.staged(target):
                    # They waited for this server.
                    lease.take()
                    finish(target, late, progress)
                    rotated += late
                    install(target, name, progress, lease)
    # The run that deploys the rest takes it itself.
    ready()
    with connect(target) as airflow:
        outcome = _deploy(target, airflow, only, progress)
        # An earlier release told secrets to components that do not hold them any more.
        old = target.stack.components if is_taken_over else rotation.affected(target, rotated)
        for name in old if outcome == "success" else ():
            target.forget_earlier(name)
        # A part of the platform may lack what the pipeline needs.
        if outcome == "success" and not only:
            outcome = runs.follow(airflow, PIPELINE, {}, progress)
    return outcome


def _deploy(target: Target, airflow: Airflow, only: tuple[str, ...], progress: Progress) -> str:
    """Let Airflow deploy, unless a look finds everything as it is declared and proven; success or failed."""
    looks = {name: _look(target, name) for name in target.stack.only(only)}
    if not all(look and look.proven and not look.steps for look in looks.values()):
        if downloads := _downloads(target, looks):
            progress.say("artifacts", f"large ones to download: {', '.join(downloads)}")
        return runs.follow(airflow, DEPLOY, {"components": list(only)}, progress)
    for name in looks:
        # A supervisor that was just started has just started it.
        target.wait(name)
    progress.say(DEPLOY, f"nothing to do: {len(looks)} components are as declared, and their checks passed lately")
    return "success"


def _look(target: Target, component: str) -> lifecycle.Observation | None:
    try:
        return lifecycle.observe(target, component)
    except Exception:  # noqa: BLE001 - the deploy says what is wrong, and tries again
        return None


def _downloads(target: Target, looks: Mapping[str, lifecycle.Observation | None]) -> list[str]:
    """Component, artifact and size of what has to be fetched, where a definition says the size."""
    return [
        f"{name}'s {step.name} ({artifact.megabytes} MB)"
        for name, look in looks.items()
        for step in (look.steps if look else ())
        if (artifact := target.stack.components[name].definition.artifacts.get(step.name))
        and step.kind == "artifact"
        and artifact.megabytes
    ]


def _stay(state: State) -> None:
    """Wait for TERM or Ctrl-C, then stop the platform: the way of a container's main process."""
    ends = {signal.SIGTERM, signal.SIGINT}
    # Blocked, or TERM would end this process instead of the wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    print("The platform is up. Ctrl-C stops it.", flush=True)
    signal.sigwait(ends)
    supervision.stop(state)


def down(arguments: argparse.Namespace) -> int:
    """Stop the platform; with --purge remove it from its state folder too.

    On this machine what runs can be stopped when definitions and settings are broken, too. Nothing is stopped or
    removed that this state folder did not start or make.
    """
    state = State(arguments.state)
    if not state.folder.exists():
        print(f"There is no platform in {state.folder}.")
        return 0
    adopt = getattr(arguments, "adopt", False)
    if adopt:
        mark.refuse_unclaimable(state, adopt=True)
    else:
        mark.require(state)
    with alone(state):
        if adopt:
            mark.claim(state, adopt=True)
        found = KUBERNETES if _is_on_cluster(state) else LOCAL
        refuse_another_target(state, {"target": found}, arguments)
        # In a cluster the mark is all that tells ours from another platform's.
        if arguments.purge or found == KUBERNETES:
            _refuse_unmarked(state)
        if arguments.purge:
            contents.refuse_mounts(state)
        if found == KUBERNETES:
            _down_on_cluster(state, arguments.purge)
        else:
            supervision.stop(state)
            print(f"Stopped the platform in {state.folder}.")
        if arguments.purge:
            _purge(state)
    return 0


def _is_on_cluster(state: State) -> bool:
    try:
        return bool(state.settings().get("target") == KUBERNETES)
    except PlatformError:
        return False  # damaged; what runs on this machine is known without it


def _refuse_unmarked(state: State) -> None:
    """Refuse to remove what may not be the platform's, before anything is stopped."""
    if not mark.platform_of(state):
        raise PlatformError(
            f"{state.folder} bears no mark: an earlier version made it, or nobody of us",
            "run `up`, which marks what it made; or see that it is the one you mean, and repeat it with --adopt",
        )


def _purge(state: State) -> None:
    """Remove all of the platform from its state folder, and say what stays there."""
    components = {path.name for path in (ROOT / "stack" / "components").glob("*/*")}
    found = contents.read(state, components)
    contents.remove(state, found)
    print(f"Removed the platform in {state.folder} with all its data and secrets.")
    if found.cluster is not None:
        print(f"Left: {found.cluster}, a test cluster; it goes with: python3 -m bootstrap cluster down")
    if found.others:
        print("Left, for the platform did not make it:")
        for path in found.others[:_SHOWN]:
            print(f"  {shown(os.fsencode(path))}")
        if len(found.others) > _SHOWN:
            print(f"  and {len(found.others) - _SHOWN} more")


def _down_on_cluster(state: State, purge: bool) -> None:
    """Remove what we made in the cluster, and nothing else."""
    from bootstrap import on_cluster

    settings = state.settings()
    if on_cluster.is_gone(state, settings):
        print("The test cluster that it was on is gone, and with it all that it held.")
        return
    target = on_cluster.open_target(settings, mark.platform_of(state))
    with closing(target):
        left = on_cluster.remove(target, purge, Progress())
    print(f"Removed the platform from {settings['context']}" + (", with its data." if purge else "; its data stays."))
    if left:
        print("Left, for this platform did not make it:", *left, sep="\n  ")
