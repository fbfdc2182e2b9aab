"""This checkout's `stack/` on the `local` target: every template has its bindings, and no secret leaves its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from data_platform.stack.claim import CONFIGURATION
from data_platform.stack.definition import Job, Process, Tool
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import claimed
from data_platform.stack.load import load_stack
from data_platform.stack.plan import plan
from data_platform.targets import claims
from data_platform.targets.local.target import LocalTarget
from data_platform.targets.render import render
from tests.secret_values import leaks, named, secrets_of

if TYPE_CHECKING:
    from tests.unit.targets.local.conftest import PretendedSupervisor

ROOT = Path(__file__).resolve().parents[4]
_PROFILES = sorted(yaml.safe_load((ROOT / "stack" / "stack.yaml").read_text(encoding="utf-8"))["profiles"])
PAIRS = [(profile, name) for profile in _PROFILES for name in load_stack(ROOT, profile).components]
EVERY = pytest.mark.parametrize(("profile", "component"), PAIRS)


@pytest.fixture
def real(
    profile: str, supervisor: PretendedSupervisor, servers: object, free_ports: None, monkeypatch: pytest.MonkeyPatch
) -> LocalTarget:
    """The real stack in a scratch state folder, with pretended servers; nothing is run."""
    del servers, free_ports
    monkeypatch.setattr("data_platform.targets.local.target.run", lambda *_, **__: "")
    monkeypatch.setattr("data_platform.targets.local.programs.unprivileged_prefix", lambda *_: [])
    monkeypatch.setattr("data_platform.targets.local.target.own", lambda _: None)
    monkeypatch.setattr(LocalTarget, "wait", lambda *_: None)
    made = LocalTarget(load_stack(ROOT, profile), supervisor.state)
    made.ensure_credentials()
    return made


def arguments_of(place: LocalTarget, component: str) -> Iterator[tuple[str, str]]:
    """Every command line that the component's definition can lead to, with its place."""
    item, values = place.stack.components[component], place._bindings(component).all
    for name in (*item.definition.jobs, *item.definition.processes):
        command = place._launch(item, name, place._bindings(component))["command"]
        yield f"launch {component}.{name}", " ".join(command)
    for name, process in item.definition.processes.items():
        words = (*(process.ready.command or ()), process.ready.http or "")
        yield f"ready {component}.{name}", " ".join(render(word, values, name) for word in words)
    for name, tool in item.definition.tools.items():
        yield f"tool {component}.{name}", " ".join(render(word, values, name) for word in tool.command)
    for name, artifact in item.definition.artifacts.items():
        words = artifact.build or ()
        yield f"build {component}.{name}", " ".join(render(word, {**values, "OUT": "/out"}, name) for word in words)


def environments_of(place: LocalTarget, component: str) -> Iterator[tuple[str, Process | Job | Tool, dict[str, str]]]:
    """Name, definition and environment of every process, job and tool."""
    item, values = place.stack.components[component], place._bindings(component)
    specs: dict[str, Process | Job] = {**item.definition.jobs, **item.definition.processes}
    for name, spec in specs.items():
        yield name, spec, place._launch(item, name, values)["environment"]
    for name, tool in item.definition.tools.items():
        # Its program is looked for; nothing is run.
        program = Path(render(tool.command[0], values.open, name))
        if program.is_absolute() and not program.exists():
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch()
        yield name, tool, dict(place.tool_command(component, name, []).environment)


def deploy(place: LocalTarget, component: str) -> None:
    """A component for which others have made their part."""
    for provider in place.stack.dependencies(component):
        for step in plan(claims.wanted(place, provider), claims.observe(place, provider)):
            claims.carry_out(place, provider, step)
    steps = plan(place.wanted(component), place.observe(component))
    place.apply(component, [step for step in steps if step.kind != "artifact"])


@EVERY
def test_every_template_finds_its_bindings(real: LocalTarget, component: str) -> None:
    wanted = real.wanted(component)
    assert wanted
    assert len({(resource.kind, resource.name) for resource in wanted}) == len(wanted)
    assert list(arguments_of(real, component))


@EVERY
def test_an_environment_holds_the_secrets_that_it_names_and_no_other(real: LocalTarget, component: str) -> None:
    secrets = secrets_of(real)
    assert len(secrets) >= 20
    own, environments = real._bindings(component).secret, list(environments_of(real, component))
    assert environments
    for name, spec, environment in environments:
        for_it = {own[binding] for binding in named(spec) & own.keys()}
        found = set(leaks(secrets, "\n".join(environment.values())))
        assert found == {label for label, value in secrets.items() if value in for_it}, f"{component}.{name}"
        # One who has its environment cannot find the rest under the names of the bindings either.
        assert not (own.keys() - named(spec)) & environment.keys(), f"{component}.{name}"


@EVERY
def test_a_component_has_no_secret_of_another_holder_in_its_files(real: LocalTarget, component: str) -> None:
    others = {label: value for label, value in secrets_of(real).items() if label.partition(".")[0] != component}
    files = real._files(real.stack.components[component])
    # A store whose configuration lists its users knows their keys, and is the only one that does.
    way = real.stack.components[component].component.serves.get("s3_user")
    users = claimed(real.stack, component, "s3_user") if way == CONFIGURATION else []
    listed = {f"{each.holder}.s3_secret_key" for each in users}
    found = {label for content in files.values() for label in leaks(others, content.decode(errors="replace"))}
    assert found == listed


@EVERY
def test_no_secret_is_in_an_argument_list(real: LocalTarget, component: str) -> None:
    secrets = secrets_of(real)
    assert len(secrets) >= 8
    commands = list(arguments_of(real, component))
    assert commands
    assert [(where, names) for where, text in commands if (names := leaks(secrets, text))] == []


@EVERY
def test_no_secret_is_in_what_airflow_passes_on(real: LocalTarget, component: str) -> None:
    deploy(real, component)
    observed = real.observe(component)
    steps = plan(real.wanted(component), observed)
    passed_on = [*real.wanted(component), *observed, *steps]
    text = json.dumps([thing.model_dump() for thing in passed_on])
    assert leaks(secrets_of(real), text) == []


def places_of_secrets(place: LocalTarget) -> set[tuple[str, bool]]:
    """Where below the state folder secrets lie, and whether others can read them there."""
    secrets, found = secrets_of(place), set()
    for path in (p for p in place.state.folder.rglob("*") if p.is_file()):
        if leaks(secrets, path.read_text(encoding="utf-8", errors="replace")):
            parts = path.relative_to(place.state.folder).parts
            found.add(("/".join(parts[: 2 if parts[0] == "run" else 1]), path.stat().st_mode & 0o077 != 0))
    return found


#: The only places, all private.
PLACES = {("credentials.json", False), ("etc", False), ("run/launch", False)}


@EVERY
def test_secrets_on_disk_are_private_and_supervisor_knows_none(real: LocalTarget, component: str) -> None:
    deploy(real, component)
    assert ("credentials.json", False) in places_of_secrets(real)
    assert places_of_secrets(real) <= PLACES


@EVERY
def test_nothing_is_planned_again_after_a_deploy(real: LocalTarget, component: str) -> None:
    deploy(real, component)
    left = plan(real.wanted(component), real.observe(component))
    jobs = real.stack.components[component].definition.jobs
    # Nothing was fetched; a pretended job created nothing.
    pretended = [step for step in left if step.kind == "job" and jobs[step.name].creates]
    assert [step for step in left if step.kind != "artifact" and step not in pretended] == []


@EVERY
def test_servers_are_told_to_listen_on_loopback(real: LocalTarget, component: str) -> None:
    given = dict(arguments_of(real, component))
    assert given
    for where, text in given.items():
        assert "0.0.0.0" not in text, where
    etc = ROOT / "stack" / "components" / real.stack.components[component].component.namespace / component / "etc"
    for path in (p for p in etc.rglob("*") if p.is_file()):
        assert "0.0.0.0" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("profile", ["default"])
def test_the_scanner_finds_a_planted_secret(real: LocalTarget) -> None:
    secrets = secrets_of(real)
    command = f"minio server --password={secrets['minio.secret_key']}"
    assert leaks(secrets, command) == ["minio.secret_key"]
    assert leaks(secrets, f"key={secrets['airflow.fernet_seed'][5:21]}") == ["airflow.fernet_seed"]
    assert leaks(secrets, "nothing of the kind") == []


@pytest.mark.parametrize("profile", ["default"])
@pytest.mark.parametrize("part", ["processes", "tools"])
def test_a_secret_that_is_planted_in_a_command_is_an_error_that_names_it(real: LocalTarget, part: str) -> None:
    component = {"processes": "nessie", "tools": "analysis"}[part]
    item = real.stack.components[component]
    ((name, spec), *_) = getattr(item.definition, part).items()
    planted = spec.model_copy(update={"command": (*spec.command, "--key={{ S3_SECRET_KEY }}")})
    definition = item.definition.model_copy(update={part: {name: planted}})
    real.stack.components[component] = item.model_copy(update={"definition": definition})
    with pytest.raises(PlatformError, match="'S3_SECRET_KEY' is undefined"):
        list(arguments_of(real, component)) if part == "processes" else real.tool_command(component, name, [])


@pytest.mark.parametrize("profile", ["default"])
def test_an_environment_that_passes_every_binding_on_is_found(real: LocalTarget) -> None:
    secrets, own = secrets_of(real), real._bindings("nessie").secret
    ((_, spec, environment), *_) = environments_of(real, "nessie")
    assert named(spec) == {"NESSIE_DATABASE_PASSWORD", "S3_SECRET_KEY"}
    assert set(own) == named(spec)
    everything = "\n".join({**environment, **real._bindings("trino").secret}.values())
    assert {"trino.s3_secret_key", "trino.database_password"} < set(leaks(secrets, everything))


@pytest.mark.parametrize("profile", ["default"])
def test_the_scanner_finds_a_planted_secret_on_disk(real: LocalTarget) -> None:
    deploy(real, "minio")
    assert ("run/launch", False) in places_of_secrets(real)
    (real.state.run / "launch" / "minio.server.json").chmod(0o644)
    assert ("run/launch", True) in places_of_secrets(real)
    section = real.state.run / "programs" / "minio.server.conf"
    section.write_text(section.read_text() + f"environment=KEY={real.credentials('minio')['secret_key']}\n")
    assert "run/programs" in {where for where, _ in places_of_secrets(real)}


#: What holds the platform's credentials by its task; see its local.yaml.
UNCONFINED = {"airflow"}


@EVERY
def test_all_but_airflow_is_confined_to_paths_of_the_checkout_that_are_there(real: LocalTarget, component: str) -> None:
    definition, values = real.stack.components[component].definition, real._bindings(component).open
    specs = [*definition.jobs.values(), *definition.processes.values(), *definition.tools.values()]
    assert specs
    assert {spec.confined for spec in specs} == {component not in UNCONFINED}
    for spec in specs:
        paths = [Path(render(path, values, component)) for path in (*spec.reads, *spec.writes)]
        assert [path for path in paths if path.is_relative_to(ROOT) and not path.exists()] == []
        # Neither the checkout nor the state folder as a whole.
        assert not [path for path in paths if ROOT.is_relative_to(path) or real.state.folder.is_relative_to(path)]
