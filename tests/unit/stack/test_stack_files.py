"""This checkout's own `stack/`: it loads in every profile, and each component says what the house asks of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from data_platform.checks.run import arguments, kind
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, TARGETS, load_stack
from data_platform.stack.model import CheckSpec, Loaded
from data_platform.stack.stack import Stack

ROOT = Path(__file__).resolve().parents[3]
PROFILES = sorted(yaml.safe_load((ROOT / "stack" / "stack.yaml").read_text(encoding="utf-8"))["profiles"])
FOLDERS = sorted(path.parent for path in (ROOT / "stack" / "components").glob("*/*/component.yaml"))
EVERY_FOLDER = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
#: A version that says nothing, in a value such as `version: latest`, `image:latest` or `release/latest`.
FLOATING = re.compile(r"(?:^|[:/@=\s\"'])(latest|stable|nightly|master|main)(?:$|[\s\"'])", re.IGNORECASE)
LINES = 60


@pytest.fixture(scope="module")
def components() -> dict[str, Loaded]:
    """Every component, in whichever profile and on whichever target it takes part."""
    found = dict(load_stack(ROOT, target=KUBERNETES).components)
    for profile in PROFILES:
        found |= load_stack(ROOT, profile).components
    return found


def test_the_stack_is_there() -> None:
    assert {"default", "seaweedfs"} <= set(PROFILES)
    assert len(FOLDERS) >= 8


@pytest.mark.parametrize("profile", PROFILES)
def test_it_loads_in_every_profile(profile: str) -> None:
    stack: Stack = load_stack(ROOT, profile)
    assert {"postgresql", "airflow", "trino", "nessie"} <= set(stack.components)
    assert stack.profile == profile


def test_every_component_takes_part_in_some_profile(components: dict[str, Loaded]) -> None:
    assert sorted(components) == sorted(folder.name for folder in FOLDERS)


def test_the_bootstrap_installs_postgresql_and_airflow_alone(components: dict[str, Loaded]) -> None:
    assert sorted(name for name, item in components.items() if item.component.bootstrap) == ["airflow", "postgresql"]


@EVERY_FOLDER
def test_every_check_has_a_kind_that_takes_its_arguments(folder: Path, components: dict[str, Loaded]) -> None:
    checks = components[folder.name].component.all_checks
    assert checks
    for check in checks:
        assert callable(kind(check.kind).check)
        assert kind(check.kind).check.__doc__
        arguments(folder.name, check)


def test_a_check_with_a_wrong_argument_or_kind_is_refused() -> None:
    spec = CheckSpec.model_validate({"name": "stores-an-object", "kind": "s3_roundtrip", "with": {"buckett": "raw"}})
    with pytest.raises(PlatformError, match="stores-an-object") as caught:
        arguments("minio", spec)
    assert "s3_roundtrip" in caught.value.remedy
    with pytest.raises(PlatformError, match="no check kind 'telepathy'"):
        arguments("minio", CheckSpec.model_validate({"name": "reads-minds", "kind": "telepathy"}))


def test_a_check_is_named_by_a_sentence() -> None:
    with pytest.raises(ValidationError):
        CheckSpec.model_validate({"name": "Check 1", "kind": "http"})


@EVERY_FOLDER
def test_component_yaml_is_short(folder: Path) -> None:
    lines = (folder / "component.yaml").read_text(encoding="utf-8").splitlines()
    assert 5 < len(lines) <= LINES


@EVERY_FOLDER
def test_every_component_explains_itself(folder: Path) -> None:
    readme = folder / "README.md"
    assert readme.is_file(), f"{readme} is missing"
    assert len(readme.read_text(encoding="utf-8").split()) >= 30, f"{readme} says nothing"


def target_files(folder: Path) -> list[Path]:
    """What says how the component runs, on each of its targets."""
    return [path for target in TARGETS if (path := folder / f"{target}.yaml").exists()]


def floating(text: str) -> list[str]:
    """Lines of a YAML file that name no fixed version; comments aside."""
    return [line for line in text.splitlines() if FLOATING.search(line.partition(" #")[0]) and line.strip()[0] != "#"]


@EVERY_FOLDER
def test_every_version_is_fixed(folder: Path, components: dict[str, Loaded]) -> None:
    version = components[folder.name].component.version
    assert re.search(r"\d", version), version
    assert floating(f"version: {version}") == []
    files = target_files(folder)
    assert files
    assert [line for file in files for line in floating(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("line", ["version: latest", "maven: g:a:latest", 'go: "x/y@latest"', "version: Stable"])
def test_a_floating_version_is_found(line: str) -> None:
    assert floating(f"name: x\n{line}\n") == [line]


def test_a_comment_or_a_port_name_is_no_version() -> None:
    assert floating("# latest\nx: 1 # the latest that runs\n-master.port=1\norder: newest\n") == []


def fetched(components: dict[str, Loaded]) -> list[tuple[str, str]]:
    return [
        (f"{component}.{name}", str(getattr(artifact, artifact.kind)))
        for component, item in components.items()
        for name, artifact in item.definition.artifacts.items()
        if artifact.kind in ("wheel", "maven")
    ]


def test_every_download_names_its_version(components: dict[str, Loaded]) -> None:
    found = fetched(components)
    assert found
    for name, source in found:
        assert re.search(r"(==|:)\d", source), f"{name}: {source}"


@EVERY_FOLDER
def test_every_file_says_which_schema_it_follows(folder: Path) -> None:
    for name in ("component", *(path.stem for path in target_files(folder))):
        first = (folder / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]
        schema = first.removeprefix("# yaml-language-server: $schema=")
        assert schema != first, f"{folder / name}.yaml begins without a schema"
        assert (folder / schema).resolve() == ROOT / "docs" / "reference" / f"{name}.schema.json"


# In a cluster NetworkPolicies say who reaches a server (tests/unit/targets/kubernetes).
@pytest.mark.parametrize("folder", [f for f in FOLDERS if (f / "local.yaml").exists()], ids=lambda folder: folder.name)
def test_only_a_server_on_loopback_may_go_without_a_login(folder: Path, components: dict[str, Loaded]) -> None:
    item = components[folder.name].component
    if item.endpoints and not item.secrets:
        guards = [check for check in item.checks if check.kind == "http" and check.params.get("loopback_only")]
        assert guards, f"{folder.name} has endpoints, no secret, and no check that only this machine reaches it"
