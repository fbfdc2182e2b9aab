"""Every mistake in `stack/` is one error that names the file, the key and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack

if TYPE_CHECKING:
    from tests.conftest import Tiny

Change = Callable[[dict[str, Any]], object]


def refusal(tiny: Tiny, profile: str = "default") -> PlatformError:
    """The error of a broken stack."""
    with pytest.raises(PlatformError) as caught:
        load_stack(tiny.root, profile)
    assert caught.value.remedy
    return caught.value


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


def test_a_database_is_a_name_or_a_mapping(tiny: Tiny) -> None:
    extras = {"name": "books", "schemas": ["sales"], "extensions": ["uuid-ossp"]}
    tiny.edit(tiny.component("reader"), lambda c: c.update(databases=["reader", extras]))
    plain, rich = load_stack(tiny.root).components["reader"].component.databases
    assert (plain.name, plain.schemas, plain.extensions) == ("reader", (), ())
    assert (rich.name, rich.schemas, rich.extensions) == ("books", ("sales",), ("uuid-ossp",))


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
    "databases_without_postgresql": (lambda c: c.update(depends_on=["s3"]), ("'postgresql' in depends_on",)),
    "database_twice": (lambda c: c.update(databases=["a", {"name": "a"}]), ("two databases are named a",)),
    "database_with_an_unknown_key": (
        lambda c: c.update(databases=[{"name": "a", "schema": ["b"]}]),
        ("databases.0.schema: unknown key",),
    ),
    "extension_that_is_not_a_name": (
        lambda c: c.update(databases=[{"name": "a", "extensions": ['x"; drop']}]),
        ("databases.0.extensions.0",),
    ),
    "backup_none_without_reason": (lambda c: c.update(backup={"kind": "none"}), ("backup:", "needs a reason")),
    "bad_duration": (lambda c: c["checks"][0].update(within="soon"), ("checks.0.within", "'soon' is not a duration")),
    "connection_to_no_endpoint": (lambda c: c["connection"].update(endpoint="grpc"), ("connection.endpoint 'grpc'",)),
    "privileged_port": (lambda c: c["endpoints"]["http"].update(port=80), ("endpoints.http.port", "1024")),
    "missing_dependency": (lambda c: c["depends_on"].append("kafka"), ("depends_on names 'kafka'", "minio, portal")),
    "claim_of_a_kind_that_is_unknown": (
        lambda c: c["claims"].append({"kind": "key", "of": "portal"}),
        ("claims.1", "'s3_user', 'token'"),
    ),
    "claim_of_a_kind_that_nobody_grants": (
        lambda c: c["claims"].append({"kind": "token", "of": "postgresql"}),
        ("claims: 'postgresql' serves no claim of the kind token", "grants"),
    ),
    "claim_of_nobody": (
        lambda c: c["claims"].append({"kind": "token", "of": "kafka"}),
        ("claims: 'kafka' serves no claim of the kind token",),
    ),
    "claim_of_what_it_does_not_depend_on": (
        lambda c: c.update(depends_on=["postgresql"]),
        ("claims: 's3' is not in depends_on", "must be up before"),
    ),
    "claim_of_an_unknown_bucket": (
        lambda c: c["claims"][0]["buckets"].update(attic="read"),
        ("claims: there is no bucket attic", "use one of: raw, results"),
    ),
    "claim_of_no_bucket": (lambda c: c["claims"][0].update(buckets={}), ("claims.0.s3_user.buckets", "at least 1")),
    "claim_of_an_unknown_verb": (
        lambda c: c["claims"][0]["buckets"].update(raw="delete"),
        ("claims.0.s3_user.buckets.raw", "'read', 'add' or 'write'"),
    ),
    "two_claims_of_one_server": (lambda c: c["claims"].append(c["claims"][0]), ("two claims are of s3",)),
    "granted_in_an_unknown_way": (lambda c: c["grants"].update(token="by post"), ("grants.token",)),
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


# The same for what is claimed for an identity: which one, what is changed, and what the error must say.
BROKEN_IDENTITY: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown_key": (lambda c: c.update(secrets=["mine"]), ("identities.pipelines.secrets: unknown key",)),
    "no_component": (lambda c: c.pop("component"), ("identities.pipelines.component: Field required",)),
    "unknown_component": (
        lambda c: c.update(component="kafka"),
        ("identities.pipelines: there is no component 'kafka'", "correct the name"),
    ),
    "claim_of_a_kind_that_nobody_grants": (
        lambda c: c["claims"].append({"kind": "token", "of": "minio"}),
        ("identities.pipelines: claims: 'minio' serves no claim of the kind token",),
    ),
    "claim_of_an_unknown_bucket": (
        lambda c: c["claims"][0].update(buckets={"attic": "add"}),
        ("identities.pipelines: claims: there is no bucket attic",),
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN_IDENTITY))
def test_a_mistake_in_an_identity_is_named(tiny: Tiny, case: str) -> None:
    change, said = BROKEN_IDENTITY[case]
    tiny.edit(tiny.stack_file, lambda c: change(c["identities"]["pipelines"]))
    error = refusal(tiny)
    assert "stack.yaml" in error.problem
    assert [words for words in said if words not in str(error)] == [], str(error)


def test_an_identity_named_like_a_component_is_refused(tiny: Tiny) -> None:
    tiny.edit(tiny.stack_file, lambda c: c["identities"].update(reader=c["identities"].pop("checks")))
    error = refusal(tiny)
    assert "stack.yaml: identities: reader is the name of a component too" in error.problem
    assert error.remedy == "give it another name"


def test_a_store_that_serves_no_users_is_refused_where_it_is_chosen(tiny: Tiny) -> None:
    tiny.edit(tiny.component("weeds"), lambda c: c.pop("grants"))
    assert load_stack(tiny.root).resolve("s3") == "minio"
    assert "'s3' serves no claim of the kind s3_user" in refusal(tiny, "weeds").problem


def test_what_an_identity_claims_is_asked_only_where_its_component_takes_part(tiny: Tiny) -> None:
    # `bare` has neither the portal, to which the identity belongs, nor the reader, from which it has a token.
    assert "portal" not in load_stack(tiny.root, "bare").components
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["pipelines"].update(component="postgresql"))
    assert "identities.pipelines: claims: 'reader' serves no claim" in refusal(tiny, "bare").problem


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
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(depends_on=["portal"]))
    error = refusal(tiny)
    for name in ("postgresql", "reader", "portal"):
        assert name in error.problem
    assert "minio" not in error.problem
    assert "circle" in error.problem
    assert "depends_on" in error.remedy


def test_two_components_on_one_port_are_refused_by_name(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c["endpoints"]["http"].update(port=21030))
    error = refusal(tiny)
    assert "port 21030" in error.problem
    assert "portal.http" in error.problem
    assert "reader.http" in error.problem
    assert "component.yaml" in error.remedy


def test_components_that_are_never_in_one_profile_may_not_share_a_port_either(tiny: Tiny) -> None:
    tiny.edit(tiny.component("weeds"), lambda c: c["endpoints"]["http"].update(port=21010))
    assert "minio.http" in refusal(tiny).problem


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


def test_a_dataset_is_a_folder_with_a_flow_and_has_a_branch(tiny: Tiny) -> None:
    assert load_stack(tiny.root).datasets == ()
    for name in ("rates", "currencies"):
        (tiny.root / "nifi_flows" / name).mkdir(parents=True)
        (tiny.root / "nifi_flows" / name / "parameters.yaml").touch()
    (tiny.root / "nifi_flows" / "notes").mkdir()
    (tiny.root / "nifi_flows" / "README.md").touch()
    tiny.edit(tiny.stack_file, lambda c: c.update(branches=["lab"]))
    stack = load_stack(tiny.root)
    assert stack.datasets == ("currencies", "rates")
    assert stack.branches == ("audit_currencies", "audit_rates", "audit_lab")


@pytest.mark.parametrize("branches", [["lab", "lab"], ["rates"]])
def test_two_branches_of_one_name_are_refused(tiny: Tiny, branches: list[str]) -> None:
    (tiny.root / "nifi_flows" / "rates").mkdir(parents=True)
    (tiny.root / "nifi_flows" / "rates" / "parameters.yaml").touch()
    tiny.edit(tiny.stack_file, lambda c: c.update(branches=branches))
    assert f"branches names {branches[-1]} twice" in refusal(tiny).problem
