"""Options win over the environment, it wins over what was remembered, and what lies in data cannot be changed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bootstrap import environments
from bootstrap.arguments import ROOT
from bootstrap.environments import Given, asked, given, load, settings_of, stack_of
from data_platform.stack.environment import Environment
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from tests.conftest import Tiny

STATE = Path("/state")
REMEMBERED = {
    "target": "kubernetes",
    "profile": "default",
    "context": "lab",
    "size": "small",
    "storage_class": "fast",
    "registry": "old.example/data",
    "environment": "staging",
    "domain": "old.example",
    "values": {"reader": {"replicas": 2}},
    "images": {"reader": "x"},
}


def environment(**said: Any) -> Given:
    return Given("staging", Environment.model_validate({"target": "kubernetes", **said}))


def ask(used: dict[str, Any], found: Given | None, **options: Any) -> dict[str, Any]:
    return asked(STATE, used, argparse.Namespace(**options), found)


def write(path: Path, **said: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(said))
    return path


def test_without_an_environment_only_options_are_asked_for() -> None:
    assert ask({}, None, target=None, profile="weeds", only="x") == {"profile": "weeds"}


def test_options_win_over_the_environment() -> None:
    found = environment(profile="default", size="small", context="lab", registry="a.example", domain="lab.example")
    wanted = ask({}, found, profile="weeds", size="production", registry="b.example")
    assert wanted == {
        "target": "kubernetes",
        "profile": "weeds",
        "capabilities": {},
        "size": "production",
        "context": "lab",
        "registry": "b.example",
        "domain": "lab.example",
        "environment": "staging",
    }


def test_what_was_remembered_need_not_be_repeated() -> None:
    wanted = ask(REMEMBERED, None)
    assert wanted == {key: value for key, value in REMEMBERED.items() if key != "images"}


def test_an_environment_that_no_longer_says_something_takes_it_back() -> None:
    wanted = ask(REMEMBERED, environment(context="lab"))
    assert {"domain", "values"}.isdisjoint(wanted)
    assert wanted["registry"] == "old.example/data"


def test_an_environment_may_change_what_is_not_fixed() -> None:
    wanted = ask(
        REMEMBERED, environment(domain="new.example", registry="new.example/data", values={"portal": {"a": 1}})
    )
    assert (wanted["domain"], wanted["registry"]) == ("new.example", "new.example/data")
    assert wanted["values"] == {"portal": {"a": 1}}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("profile", "weeds", "the profile 'default', not 'weeds'"),
        ("context", "other", "the context 'lab', not 'other'"),
        ("size", "production", "the size 'small', not 'production'"),
        ("storage_class", "slow", "the storage class 'fast', not 'slow'"),
        ("capabilities", {"s3": "weeds"}, "the capabilities of its profile, not s3: weeds"),
    ],
)
def test_what_its_data_was_cut_to_cannot_be_changed(key: str, value: Any, said: str) -> None:
    with pytest.raises(PlatformError, match=f"/state was brought up with {said}, and its data lies there") as caught:
        ask(REMEMBERED, environment(**{key: value}))
    assert "--state" in caught.value.remedy
    assert (f"--{key} {REMEMBERED.get(key)}" in caught.value.remedy) == (key in ("profile", "context", "size"))


def test_a_platform_without_a_storage_class_is_given_none_later() -> None:
    with pytest.raises(PlatformError, match="the storage class of the cluster, not 'fast'"):
        ask(REMEMBERED | {"storage_class": ""}, environment(storage_class="fast"))


def test_another_profile_by_an_option_is_refused_too() -> None:
    with pytest.raises(PlatformError, match="the profile 'weeds', not 'default'") as caught:
        ask({"target": "local", "profile": "weeds"}, None, profile="default")
    assert "--profile weeds" in caught.value.remedy


def test_another_target_in_a_folder_is_refused() -> None:
    with pytest.raises(PlatformError, match="the target 'local', not 'kubernetes'"):
        ask({"profile": "default"}, None, target="kubernetes")
    with pytest.raises(PlatformError, match="the environment staging is of the target kubernetes, not local"):
        ask({}, environment(), target="local")


def test_a_file_of_ones_home_is_found_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    wanted = ask({}, environment(context="lab", kubeconfig="~/.kube/bank", authorities="~/ca.pem"))
    assert wanted["kubeconfig"] == "/home/somebody/.kube/bank"
    assert wanted["authorities"] == "/home/somebody/ca.pem"
    # As all that has no option, it is remembered until the environment no longer says it.
    remembered = {"target": "kubernetes", "context": "lab", "authorities": "/etc/ca.pem"}
    assert ask(remembered, None)["authorities"] == "/etc/ca.pem"
    assert "authorities" not in ask(remembered, environment(context="lab"))


def test_an_environment_is_read_from_the_checkout_or_from_any_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    write(tmp_path / "environments" / "staging.yaml", target="local")
    outside = write(tmp_path / "etc" / "bank.yaml", target="kubernetes", domain="bank.example")
    assert load("staging") == Given("staging", Environment(target="local"))
    found = given(argparse.Namespace(environment=str(outside)))
    assert found is not None
    assert (found.name, found.environment.domain) == ("bank", "bank.example")
    assert given(argparse.Namespace(environment=None)) is None
    assert given(argparse.Namespace()) is None


def test_a_missing_environment_is_told_with_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    write(tmp_path / "environments" / "staging.yaml", target="local")
    with pytest.raises(PlatformError, match=r"there is no environment .*/environments/moon\.yaml") as caught:
        load("moon")
    assert "environments/ (staging)" in caught.value.remedy


def test_a_mistake_in_an_environment_names_the_file_and_the_key(tmp_path: Path) -> None:
    file = write(tmp_path / "bank.yaml", target="local", sise="small")
    with pytest.raises(PlatformError, match=rf"{file}: sise: unknown key"):
        load(str(file))


def test_a_stack_is_that_of_the_environment(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "ROOT", tiny.root)
    assert stack_of({}).capabilities == {"s3": "minio"}
    stack = stack_of(settings_of(Given("lab", Environment(target="local", capabilities={"s3": "weeds"}))))
    assert (stack.profile, stack.capabilities["s3"]) == ("default", "weeds")


EXAMPLES = sorted((ROOT / "environments").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_each_example_can_be_deployed(file: Path) -> None:
    assert {"dev", "staging", "production"} <= {path.stem for path in EXAMPLES}
    found = load(file.stem)
    stack = stack_of(settings_of(found))
    assert stack.target == found.environment.target
    assert "airflow" in stack.components
