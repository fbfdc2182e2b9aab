"""Every mistake in `stack/` is one error that names the file, the key and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from data_platform.stack.definition import Local
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import LOCAL, load_stack, parse
from tests.unit.stack.conftest import refusal

if TYPE_CHECKING:
    from tests.conftest import Tiny

Change = Callable[[dict[str, Any]], object]


def test_a_valid_stack_is_loaded_in_order_of_dependencies(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert list(stack.components) == ["minio", "postgresql", "reader", "portal"]
    assert stack.edges() == {
        "minio": (),
        "postgresql": (),
        "reader": ("postgresql", "minio"),
        "portal": ("reader",),
    }
    assert set(stack.toolchains) == {"shell"}


def test_a_profile_chooses_the_provider_of_a_capability(tiny: Tiny) -> None:
    stack = load_stack(tiny.root, "weeds")
    assert "minio" not in stack.components
    assert stack.resolve("s3") == "weeds"
    assert stack.dependencies("reader") == ("postgresql", "weeds")


def test_a_profile_leaves_components_out(tiny: Tiny) -> None:
    assert list(load_stack(tiny.root, "bare").components) == ["minio", "postgresql"]


def test_a_selection_brings_what_it_depends_on(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert stack.only(("reader",)) == ("minio", "postgresql", "reader")
    assert stack.only(("s3",)) == ("minio",)
    assert stack.only(()) == tuple(stack.components)


def test_a_selection_of_an_unknown_component_is_refused(tiny: Tiny) -> None:
    with pytest.raises(PlatformError, match="no component 'radar'") as caught:
        load_stack(tiny.root).only(("radar",))
    assert "reader" in caught.value.remedy


# One change of one file: the file, what is changed there, and what the error must say besides the file.
BROKEN_COMPONENT: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown_key": (lambda c: c.update(sumary="typo"), ("sumary: unknown key", "docs/reference")),
    "unknown_nested_key": (lambda c: c["resources"].update(disk=1), ("resources.disk: unknown key",)),
    "missing_key": (lambda c: c.pop("summary"), ("summary: Field required",)),
    "no_check": (lambda c: c.update(checks=[]), ("checks:", "at least 1 item")),
    "duplicate_check_names": (
        lambda c: c["checks"].append(c["checks"][0]),
        ("two checks are named answers-on-its-page",),
    ),
    "database_with_an_unknown_key": (
        lambda c: c["claims"][0].update(schema=["b"]),
        ("claims.0.database.schema: unknown key",),
    ),
    "extension_that_is_not_a_name": (
        lambda c: c["claims"][0].update(extensions=['x"; drop']),
        ("claims.0.database.extensions.0",),
    ),
    "bad_duration": (lambda c: c["checks"][0].update(within="soon"), ("checks.0.within", "'soon' is not a duration")),
    "connection_to_no_endpoint": (lambda c: c["connection"].update(endpoint="grpc"), ("connection.endpoint 'grpc'",)),
    "privileged_port": (lambda c: c["endpoints"]["http"].update(port=80), ("endpoints.http.port", "1024")),
    "after_nobody": (lambda c: c.update(after=["kafka"]), ("after names 'kafka'", "minio, portal")),
    "calls_nobody": (lambda c: c.update(calls=["kafka"]), ("calls names 'kafka'", "portal, postgresql, reader, s3")),
    "page_for_nobody": (
        lambda c: c["endpoints"]["http"].update(audience=["components"]),
        ("endpoints.http", "a page is for people or operators"),
    ),
    "people_without_a_page": (
        lambda c: c["endpoints"]["http"].pop("path"),
        ("endpoints.http", "what people open is a page"),
    ),
    "people_who_speak_no_http": (
        lambda c: c["endpoints"]["http"].update(scheme="tcp"),
        ("endpoints.http", "and the scheme http or https"),
    ),
    "audience_of_nobody": (lambda c: c["endpoints"]["http"].update(audience=[]), ("endpoints.http.audience",)),
    "audience_of_others": (
        lambda c: c["endpoints"]["http"].update(audience=["friends"]),
        ("endpoints.http.audience", "'people', 'components' or 'operators'"),
    ),
    "two_pages": (
        lambda c: c["endpoints"].update(more={"port": 21031, "path": "/", "audience": ["people"]}),
        ("endpoints: http, more are for people", "leave people in the audience of one"),
    ),
    "page_that_is_not_opened": (
        lambda c: c["endpoints"]["http"].update(opens=["/other/*"]),
        ("endpoints.http", "people cannot open the page /ui/"),
    ),
    "page_that_is_closed": (
        lambda c: c["endpoints"]["http"].update(closes=["/ui/*"]),
        ("endpoints.http", "people cannot open the page /ui/"),
    ),
    "closes_what_is_not_opened": (
        lambda c: c["endpoints"]["http"].update(closes=["/ui/api/*", "/v1/*"]),
        ("endpoints.http", "closes names /v1/*"),
    ),
    "opens_a_pattern": (lambda c: c["endpoints"]["http"].update(opens=["/ui/*/x"]), ("endpoints.http.opens.0",)),
    "opens_to_nobody": (
        lambda c: c["endpoints"]["http"].update(audience=["operators"], opens=["/ui/*"]),
        ("endpoints.http", "opens and closes are about people"),
    ),
    "claim_of_a_kind_that_is_unknown": (
        lambda c: c["claims"].append({"kind": "key", "of": "portal"}),
        ("claims.3", "'key'", "'database', 's3_user', 'token'"),
    ),
    "claim_without_a_kind": (lambda c: c["claims"].append({"name": "more"}), ("claims.3", "'kind'")),
    "claim_of_no_bucket": (lambda c: c["claims"][2].update(buckets={}), ("claims.2.s3_user.buckets", "at least 1")),
    "claim_of_an_unknown_verb": (
        lambda c: c["claims"][2]["buckets"].update(raw="delete"),
        ("claims.2.s3_user.buckets.raw", "'read', 'add' or 'write'"),
    ),
    "serves_an_unknown_kind": (
        lambda c: c["serves"].update(key="configuration"),
        ("serves names key, which is no kind of claim", "database, s3_user, token"),
    ),
    "serves_in_an_unknown_way": (
        lambda c: c["serves"].update(token="by_post"),
        ("serves.token is 'by_post', expected one of: configuration",),
    ),
    "serves_in_the_way_of_another_kind": (
        lambda c: c["serves"].update(token="sql"),
        ("serves.token is 'sql', expected one of: configuration",),
    ),
    "shows_an_unknown_kind": (lambda c: c.update(shows=["key"]), ("shows names key", "use one of: branch")),
    "shows_a_kind_without_a_binding": (
        lambda c: c.update(shows=["token"]),
        ("shows names token, which is no kind of claim that has a binding", "use one of: branch"),
    ),
    "another_name_than_its_folder": (lambda c: c.update(name="writer"), ("processing/writer", "processing/reader")),
    "another_namespace_than_its_folder": (lambda c: c.update(namespace="core"), ("core/reader", "processing/reader")),
}


@pytest.mark.parametrize("case", sorted(BROKEN_COMPONENT))
def test_a_mistake_in_component_yaml_is_named(tiny: Tiny, case: str) -> None:
    change, said = BROKEN_COMPONENT[case]
    tiny.edit(tiny.component("reader"), change)
    error = refusal(tiny)
    assert str(tiny.component("reader")) in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


# The same for an identity.
BROKEN_IDENTITY: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown_key": (lambda c: c.update(secrets=["mine"]), ("identities.pipelines.secrets: unknown key",)),
    "no_component": (lambda c: c.pop("component"), ("identities.pipelines.component: Field required",)),
    "claim_of_a_kind_that_is_unknown": (
        lambda c: c["claims"].append({"kind": "key"}),
        ("identities.pipelines.claims.3", "'key'"),
    ),
    "an_unknown_kind_for_each_dataset": (
        lambda c: c.update(each_dataset=["key"]),
        ("identities.pipelines", "each_dataset names key", "use one of: branch, bucket, database"),
    ),
    "a_kind_for_each_dataset_that_takes_more_than_a_name": (
        lambda c: c.update(each_dataset=["s3_user", "database"]),
        ("identities.pipelines", "each_dataset names s3_user", "use one of: branch, bucket, database"),
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN_IDENTITY))
def test_a_mistake_in_an_identity_is_named(tiny: Tiny, case: str) -> None:
    change, said = BROKEN_IDENTITY[case]
    tiny.edit(tiny.stack_file, lambda c: change(c["identities"]["pipelines"]))
    error = refusal(tiny)
    assert "stack.yaml" in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


BROKEN_LOCAL: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown_key": (lambda c: c.update(process={}), ("process: unknown key",)),
    "paths_of_what_is_not_confined": (
        lambda c: c["tools"]["say"].update(confined=False, reads=["/x"]),
        ("tools.say", "say nothing where confined is false"),
    ),
    "unknown_toolchain": (lambda c: c.update(toolchains=["java99"]), ("toolchains names java99", "use one of shell")),
    "two_sources": (lambda c: c["artifacts"]["program"].update(wheel="a==1"), ("artifacts.program", "exactly one of")),
    "no_source": (lambda c: c["artifacts"].update(empty={}), ("artifacts.empty", "exactly one of", "none")),
    "wheel_without_digest": (lambda c: c["artifacts"].update(w={"wheel": "a==1"}), ("artifacts.w", "needs sha256")),
    "short_digest": (
        lambda c: c["artifacts"].update(w={"wheel": "a==1", "sha256": ["abc"]}),
        ("artifacts.w.sha256.0",),
    ),
    "go_without_source": (lambda c: c["artifacts"].update(g={"go": "a/b"}), ("artifacts.g", "go needs source")),
    "ready_in_two_ways": (
        lambda c: c["processes"]["server"]["ready"].update(http="http://127.0.0.1/"),
        ("processes.server.ready", "exactly one of http and command"),
    ),
    "empty_command": (lambda c: c["jobs"]["prepare"].update(command=[]), ("jobs.prepare.command",)),
}


@pytest.mark.parametrize("case", sorted(BROKEN_LOCAL))
def test_a_mistake_in_local_yaml_is_named(tiny: Tiny, case: str) -> None:
    change, said = BROKEN_LOCAL[case]
    tiny.edit(tiny.local("reader"), change)
    error = refusal(tiny)
    assert str(tiny.local("reader")) in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


def test_all_mistakes_of_a_file_are_named_at_once(tiny: Tiny) -> None:
    tiny.edit(tiny.component("reader"), lambda c: (c.update(sumary="typo"), c.pop("version")))
    problem = refusal(tiny).problem
    assert "sumary: unknown key" in problem
    assert "version: Field required" in problem


def test_an_unknown_namespace_is_refused(tiny: Tiny) -> None:
    tiny.edit(tiny.stack_file, lambda c: c["namespaces"].pop("processing"))
    error = refusal(tiny)
    assert f"{tiny.component('reader')}: namespace 'processing' is not in stack.yaml" in error.problem
    assert "use one of core, storage" in error.remedy


def test_a_cycle_is_refused_by_name(tiny: Tiny) -> None:
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(after=["portal"]))
    error = refusal(tiny)
    for name in ("postgresql", "reader", "portal"):
        assert name in error.problem
    assert "minio" not in error.problem
    assert "circle" in error.problem
    assert "`after`" in error.remedy


@pytest.mark.parametrize("provider", ["kafka", "reader"])
def test_a_provider_that_does_not_provide_is_refused(tiny: Tiny, provider: str) -> None:
    tiny.edit(tiny.stack_file, lambda c: c["capabilities"].update(s3=provider))
    error = refusal(tiny)
    assert f"stack.yaml: {provider!r} stands for the capability 's3'" in error.problem
    assert "provides: [s3]" in error.remedy


def test_an_unknown_profile_is_refused(tiny: Tiny) -> None:
    error = refusal(tiny, profile="production")
    assert "'production'" in error.problem
    assert "default, weeds, bare" in error.remedy


@pytest.mark.parametrize("file", ["stack", "toolchains", "component", "local"])
def test_a_file_that_is_not_yaml_is_refused_with_its_line(tiny: Tiny, file: str) -> None:
    path = {
        "stack": tiny.stack_file,
        "toolchains": tiny.toolchains_file,
        "component": tiny.component("reader"),
        "local": tiny.local("reader"),
    }[file]
    path.write_text("name: reader\nversion: [1\n", encoding="utf-8")
    error = refusal(tiny)
    assert error.problem.startswith(f"{path} is not YAML")
    assert "line 3" in error.problem


@pytest.mark.parametrize("file", ["stack", "toolchains", "local"])
def test_a_missing_file_is_named(tiny: Tiny, file: str) -> None:
    path = {"stack": tiny.stack_file, "toolchains": tiny.toolchains_file, "local": tiny.local("reader")}[file]
    path.unlink()
    assert refusal(tiny).problem == f"{path} is missing"


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "just words\n"])
def test_a_file_that_holds_no_mapping_is_refused(tiny: Tiny, content: str) -> None:
    tiny.component("reader").write_text(content, encoding="utf-8")
    assert str(tiny.component("reader")) in refusal(tiny).problem


def test_a_mistake_in_a_toolchain_is_named(tiny: Tiny) -> None:
    tiny.edit(tiny.toolchains_file, lambda c: c["shell"].update(hash="abc"))
    assert f"{tiny.toolchains_file}: shell.hash: unknown key" in refusal(tiny).problem


def test_an_empty_components_folder_is_refused(tiny: Tiny) -> None:
    (tiny.root / "stack" / "components").rename(tiny.root / "stack" / "old")
    error = refusal(tiny)
    assert "holds no component" in error.problem
    assert "whole checkout" in error.remedy


def test_a_folder_without_component_yaml_is_refused(tiny: Tiny) -> None:
    (tiny.root / "stack" / "components" / "core" / "draft").mkdir()
    (tiny.root / "stack" / "components" / "core" / "draft" / "local.yaml").write_text("{}\n", encoding="utf-8")
    assert "draft/component.yaml is missing" in refusal(tiny).problem


def test_two_components_of_one_name_are_refused(tiny: Tiny) -> None:
    source, copy = tiny.folder("portal"), tiny.root / "stack" / "components" / "processing" / "portal"
    copy.mkdir()
    for name in ("component.yaml", "local.yaml"):
        (copy / name).write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
    tiny.edit(copy / "component.yaml", lambda c: (c.update(namespace="processing"), c.pop("endpoints")))
    error = refusal(tiny)
    assert "portal" in error.problem
    assert "core" in error.problem


def test_an_error_has_a_problem_and_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        load_stack(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'stack' / 'stack.yaml'} is missing\n  → {caught.value.remedy}"


def test_a_dataset_is_a_folder_with_a_contract(tiny: Tiny) -> None:
    assert load_stack(tiny.root).datasets == ()
    for name in ("rates", "currencies"):
        tiny.dataset(name)
    (tiny.root / "datasets" / "notes").mkdir()
    (tiny.root / "datasets" / "README.md").touch()
    assert load_stack(tiny.root).datasets == ("currencies", "rates")


def test_a_dataset_whose_name_nothing_can_have_is_named(tiny: Tiny) -> None:
    tiny.dataset("fx_rates")
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"].update(each_dataset=["bucket"]))
    error = refusal(tiny)
    assert "datasets/fx_rates: no bucket can have the name of this dataset" in error.problem
    assert "take bucket out of each_dataset in stack.yaml" in error.remedy


def test_an_environment_chooses_over_the_profile(tiny: Tiny) -> None:
    stack = load_stack(tiny.root, "weeds", LOCAL, {"s3": "minio"}, {"reader": {"replicas": 2}})
    assert stack.capabilities == {"s3": "minio"}
    assert "weeds" not in stack.components
    assert {name: item.values for name, item in stack.components.items() if item.values} == {"reader": {"replicas": 2}}


@pytest.mark.parametrize(
    ("capabilities", "values", "said"),
    [
        ({"s4": "minio"}, {}, "environment: capabilities: there is no capability s4"),
        ({"s3": "reader"}, {}, "environment: 'reader' stands for the capability 's3' but does not provide it on local"),
        ({}, {"weeds": {}}, "environment: values: there is no component weeds in it"),
    ],
)
def test_what_an_environment_cannot_choose_is_refused(
    tiny: Tiny, capabilities: dict[str, str], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(PlatformError, match=said) as caught:
        load_stack(tiny.root, "default", LOCAL, capabilities, values)
    assert caught.value.remedy


def test_a_definition_reads_the_version_from_component_yaml(tmp_path: Path) -> None:
    artifact = {"maven": "g:a:{{VERSION}}:jar", "sha256": ["0" * 64]}
    process = {"command": ["x-{{ VERSION }}.jar", "{{ DATA }}"], "ready": {"command": ["true"]}}
    path = tmp_path / "local.yaml"
    path.write_text(yaml.safe_dump({"artifacts": {"server": artifact}, "processes": {"server": process}}))
    found = parse(Local, path, "4.76")
    assert found.artifacts["server"].maven == "g:a:4.76:jar"
    assert found.processes["server"].command == ("x-4.76.jar", "{{ DATA }}")
    path.write_text("[]")
    with pytest.raises(PlatformError):
        parse(Local, path, "4.76")
