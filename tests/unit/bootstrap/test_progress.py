"""What a command says on a plain terminal while it works."""

from __future__ import annotations

import pytest

from bootstrap.progress import QUIET_SECONDS, Progress

LONG = {"artifacts.minio": ("running", 84.2), "trino.wait": ("deferred", 3.0), "nessie.verify": ("success", 2.0)}


class Clock:
    """Seconds that a test decides."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    found = Progress(clock)
    found.tasks("stack_deploy", LONG)
    return found


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_what_changes_is_told_once(progress: Progress, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    clock.now += 1
    later = {**LONG, "trino.wait": ("success", 4.0), "dbt.apply": ("skipped", 0.0)}
    progress.tasks("stack_deploy", later)
    progress.tasks("stack_deploy", later)
    assert said(capsys) == ["1.0 s  trino.wait  success 4.0 s"]


def test_without_news_what_is_at_work_is_told_again_and_again(
    progress: Progress, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys)
    told = []
    for _ in range(5):
        clock.now += QUIET_SECONDS / 2
        progress.tasks("stack_deploy", LONG)
        told.append(said(capsys))
    goes_on = "s  stack_deploy  goes on: artifacts.minio since 84 s, trino.wait since 3 s"
    assert told == [[], [f"20.0 {goes_on}"], [], [f"40.0 {goes_on}"], []]


def test_news_put_it_off(progress: Progress, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    clock.now += QUIET_SECONDS - 1
    progress.say("nessie", "wait")
    said(capsys)
    clock.now += 2
    progress.tasks("stack_deploy", LONG)
    assert said(capsys) == []


def test_nothing_is_told_of_a_run_in_which_nothing_is_at_work(
    progress: Progress, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys)
    clock.now += 10 * QUIET_SECONDS
    progress.tasks("stack_deploy", {"nessie.verify": ("success", 2.0), "trino.wait": ("queued", 0.0)})
    assert said(capsys) == []
