from pathlib import Path

import pytest

from bootstrap import ahead


class _Target:
    """Of which nothing is there yet."""

    def __init__(self, fetched: list[str]) -> None:
        self._fetched = fetched

    @property
    def stack(self) -> "_Target":
        return self

    components = ("minio", "trino")

    def fetch(self, component: str, steps: list[object]) -> None:
        self._fetched += [f"{component} {step}" for step in steps]

    def close(self) -> None:
        self._fetched.append("closed")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    class Programs:
        def fetch(self, _: Path) -> None:
            found.append("programs of the cluster")

    class Step:
        def __init__(self, kind: str) -> None:
            self.kind = kind

        def __str__(self) -> str:
            return self.kind

    class Observation:
        steps = (Step("artifact"), Step("process"))

    monkeypatch.setattr(ahead, "programs", lambda _: Programs())
    monkeypatch.setattr(ahead, "make_target", lambda *_: _Target(found))
    monkeypatch.setattr(ahead, "observe", lambda *_: Observation())
    return found


def test_rooms_that_need_nothing_have_nothing_built(fetched: list[str]) -> None:
    ahead.prepare({"lint", "unit", "dags"})
    assert fetched == []


def test_charts_and_clusters_want_the_programs_of_the_cluster(fetched: list[str]) -> None:
    for room in ("docs", "render", "cluster"):
        ahead.prepare({room})
    assert fetched == ["programs of the cluster"] * 3


def test_a_platform_wants_the_artifacts_of_its_components_and_starts_nothing(fetched: list[str]) -> None:
    ahead.prepare({"e2e"})
    assert fetched == ["minio artifact", "trino artifact", "closed"]
