"""`up` and `down`."""

from __future__ import annotations

import argparse
import signal
import time

from filelock import FileLock, Timeout
from rich.markup import escape

from bootstrap import runs, supervision
from bootstrap.doctor import refuse_unfit
from bootstrap.place import connect, make_target, remember
from bootstrap.progress import Progress
from bootstrap.report import print_summary
from data_platform import lifecycle
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

DEPLOY = "stack_deploy"
#: What proves that the deployed parts work together, on real data.
PIPELINE = "pipelines_fx_rates"


def _alone(state: State) -> FileLock:
    lock = state.lock("up")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PlatformError(
            f"another `up` or `down` works on {state.folder}", "wait until it has ended, then run it again"
        ) from None
    return lock


def up(arguments: argparse.Namespace) -> int:
    """Bring the platform up and prove it; 0 only when every check passed and the reference pipeline ran."""
    started = time.monotonic()
    target = make_target(arguments.state, arguments.profile)
    only = tuple(name.strip() for name in arguments.only.split(",") if name.strip())
    selected = target.stack.only(only)
    with _alone(target.state):
        refuse_unfit(target, selected)
        remember(target)
        progress = Progress()
        supervision.ensure(target.state)
        for program in target.forget_strays():
            progress.say(program, "stopped: no component of the stack declares it")
        # What the bootstrap itself installs; everything else is the deploy DAG's work.
        first = [name for name, item in target.stack.components.items() if item.component.bootstrap]
        for name in first:
            install(target, name, progress)
        with connect(target) as airflow:
            outcome = runs.follow(airflow, DEPLOY, {"components": list(only)}, progress)
            # A part of the platform may lack what the pipeline needs.
            if outcome == "success" and not only:
                outcome = runs.follow(airflow, PIPELINE, {}, progress)
    print_summary(target, sorted({*first, *selected}), time.monotonic() - started)
    if outcome != "success":
        return 1
    if arguments.foreground:
        _stay(target)
    return 0


def install(target: LocalTarget, component: str, progress: Progress) -> None:
    """Bring one component to its definition and verify it, without Airflow.

    Raises:
        PlatformError: a step failed, or a check did.
    """
    progress.say(component, "observe")
    observation = lifecycle.observe(target, component)
    for step in observation.steps:
        progress.say(component, escape(str(step)))
    if observation.steps:
        target.fetch(component, observation.steps)
        target.apply(component, [step for step in observation.steps if step.kind != "artifact"])
    if observation.steps or not observation.proven:
        progress.say(component, "wait")
        target.wait(component)
        progress.say(component, "verify")
        # The database of results exists once Airflow is installed.
        keep = "airflow" in target.stack.components[component].component.databases or component == "airflow"
        lifecycle.require_passed(lifecycle.verify(target, component, "deploy", keep=keep))
    progress.done(component)


def _stay(target: LocalTarget) -> None:
    """Wait for TERM or Ctrl-C, then stop the platform: the way of a container's main process."""
    ends = {signal.SIGTERM, signal.SIGINT}
    # Blocked, or TERM would end this process instead of the wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    print("The platform is up. Ctrl-C stops it.", flush=True)
    signal.sigwait(ends)
    supervision.stop(target.state)


def down(arguments: argparse.Namespace) -> int:
    """Stop the platform; with --purge remove its state folder too.

    Reads neither the definitions nor the settings: what runs can be stopped when they are broken too.
    """
    state = State(arguments.state)
    if not state.folder.exists():
        print(f"There is no platform in {state.folder}.")
        return 0
    if not state.settings_file.exists():
        raise PlatformError(f"there is no platform in {state.folder}", "give its state folder with --state")
    with _alone(state):
        supervision.stop(state)
        print(f"Stopped the platform in {state.folder}.")
        if arguments.purge:
            supervision.remove(state.folder)
            print(f"Removed {state.folder} with all data and secrets.")
    return 0
