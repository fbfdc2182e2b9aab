"""Every verb means the same state folder: the commands of the README, typed one after the other, work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootstrap.folders import Found, default, environment_file, of_cluster, others

LOCAL, KUBERNETES = ".platform", ".platform-kubernetes"


def platform(root: Path, name: str, target: str = "local") -> Path:
    """A state folder with a platform in it."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps({"target": target, "profile": "default"}))
    return folder


def cluster(root: Path, name: str) -> None:
    """A test cluster in a state folder."""
    (root / name / "cluster").mkdir(parents=True)
    (root / name / "cluster" / "machine.json").write_text("{}")


@pytest.mark.parametrize(
    ("target", "environment", "name"),
    [
        (None, None, LOCAL),
        ("local", None, LOCAL),
        ("kubernetes", None, KUBERNETES),
        (None, "staging", ".platform-staging"),
        ("kubernetes", "staging", ".platform-staging"),
    ],
)
def test_in_a_new_checkout_each_has_a_folder_of_its_own(
    tmp_path: Path, target: str | None, environment: str | None, name: str
) -> None:
    assert default(tmp_path, target, environment) == tmp_path / name


def test_where_both_are_there_local_is_meant(tmp_path: Path) -> None:
    local, kubernetes = platform(tmp_path, LOCAL), platform(tmp_path, KUBERNETES, "kubernetes")
    assert default(tmp_path) == local
    assert default(tmp_path, "kubernetes") == kubernetes


def test_where_only_the_one_on_kubernetes_is_there_it_is_meant(tmp_path: Path) -> None:
    cluster(tmp_path, KUBERNETES)
    assert default(tmp_path) == tmp_path / LOCAL, "a cluster is no platform yet"
    kubernetes = platform(tmp_path, KUBERNETES, "kubernetes")
    assert default(tmp_path) == kubernetes
    assert default(tmp_path, "local") == tmp_path / LOCAL


def test_the_readmes_commands_one_after_the_other(tmp_path: Path) -> None:
    local = platform(tmp_path, LOCAL)
    assert of_cluster(tmp_path) == tmp_path / KUBERNETES
    cluster(tmp_path, KUBERNETES)
    assert default(tmp_path, "kubernetes") == of_cluster(tmp_path) == tmp_path / KUBERNETES
    platform(tmp_path, KUBERNETES, "kubernetes")
    assert default(tmp_path) == local


def test_one_on_kubernetes_of_an_earlier_version_is_found_where_it_is(tmp_path: Path) -> None:
    cluster(tmp_path, LOCAL)
    assert default(tmp_path, "kubernetes") == of_cluster(tmp_path) == tmp_path / LOCAL
    platform(tmp_path, LOCAL, "kubernetes")
    assert default(tmp_path) == default(tmp_path, "kubernetes") == of_cluster(tmp_path) == tmp_path / LOCAL


def test_a_cluster_of_an_earlier_version_beside_a_local_platform_can_be_ended(tmp_path: Path) -> None:
    platform(tmp_path, LOCAL)
    cluster(tmp_path, LOCAL)
    assert of_cluster(tmp_path) == tmp_path / LOCAL
    assert of_cluster(tmp_path, "staging") == tmp_path / ".platform-staging"
    cluster(tmp_path, KUBERNETES)
    assert of_cluster(tmp_path) == tmp_path / KUBERNETES


def test_settings_that_are_damaged_are_a_platforms_all_the_same(tmp_path: Path) -> None:
    platform(tmp_path, KUBERNETES, "kubernetes")
    (platform(tmp_path, LOCAL) / "settings.json").write_text("{")
    assert default(tmp_path) == tmp_path / LOCAL


def test_the_others_are_told_with_how_to_mean_them(tmp_path: Path) -> None:
    local = platform(tmp_path, LOCAL)
    kubernetes, staging = platform(tmp_path, KUBERNETES, "kubernetes"), platform(tmp_path, ".platform-staging")
    cluster(tmp_path, ".platform-empty")
    assert others(tmp_path, local) == [
        Found(kubernetes, "kubernetes", "--target kubernetes"),
        Found(staging, "local", "--environment staging"),
    ]
    assert [found.asked for found in others(tmp_path, staging)] == ["--target local", "--target kubernetes"]
    assert others(tmp_path, tmp_path / "elsewhere") == [], "who names a folder knows which one he means"


def test_an_environment_is_a_name_or_a_path(tmp_path: Path) -> None:
    assert environment_file(tmp_path, "staging") == tmp_path / "environments" / "staging.yaml"
    assert environment_file(tmp_path, "/etc/bank/production.yaml") == Path("/etc/bank/production.yaml")
    assert environment_file(tmp_path, "production.yaml") == Path("production.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Staging", "no environment"),
        ("/etc/bank/production.yml", "no environment"),
        ("/etc/bank/..yaml", "no environment"),
        ("kubernetes", "kubernetes is a target"),
        ("/etc/bank/local.yaml", "local is a target"),
    ],
)
def test_what_can_be_no_environment_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        environment_file(tmp_path, text)
