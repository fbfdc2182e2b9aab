"""The table of secrets says of each where its value may be, and would say so of one more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.stack.holders import holders
from data_platform.stack.load import load_stack
from docs import generate, secret_places
from docs.secret_places import PLACES, Row, rows

if TYPE_CHECKING:
    from tests.conftest import Tiny

ROOT = Path(__file__).resolve().parents[2]


def table() -> dict[tuple[str, str], Row]:
    return {(row.holder, row.key): row for row in rows(ROOT)}


def test_every_secret_of_every_holder_has_one_row() -> None:
    found = [(row.holder, row.key) for row in rows(ROOT)]
    stacks = [load_stack(ROOT, *place) for place in PLACES]
    wanted = {(name, key) for stack in stacks for name, each in holders(stack).items() for key in each.generated}
    assert len(wanted) >= 20
    assert set(found) == wanted
    assert len(found) == len(wanted)
    page = (generate.REFERENCE / "secrets.md").read_text(encoding="utf-8")
    assert [secret for secret in wanted if f"| {secret[0]} | `{secret[1]}` |" not in page] == []


def test_a_row_says_where_a_value_may_be_and_on_what_that_depends() -> None:
    found = table()
    assert found["nessie", "s3_secret_key"] == (
        "nessie",
        "s3_secret_key",
        "process `server` of nessie",
        "`s3.json` of seaweedfs (with SeaweedFS)",
        "minio, on its drives (with MinIO)",
    )
    assert found["checks", "database_password"][2:] == ("none", "none", "postgresql, a SCRAM verifier")
    assert found["pipelines", "datahub_token"].files == (
        "`tokens.json` of datahub, its digest alone; Secrets `airflow-task-…` (on Kubernetes); "
        "Secret `airflow-pages` (on Kubernetes)"
    )
    assert "(on Kubernetes)" in found["trino", "s3_secret_key"].environments
    assert "(on one machine)" in found["postgresql", "password"].environments


def test_what_a_process_a_tool_or_a_file_names_is_seen(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    before = secret_places._environments(stack), secret_places._files(stack)
    assert before[0] == {
        ("reader", "token"): ["job `announce` of reader", "process `server` of reader", "tool `say` of reader"]
    }
    assert before[1] == {
        ("reader", "token"): ["`reader.conf` of reader"],
        ("portal", "reader_token"): ["`tokens.json` of reader, its digest alone"],
        ("pipelines", "reader_token"): ["`tokens.json` of reader, its digest alone"],
    }
    named = {"KEY": "{{ S3_SECRET_KEY[:9] }}"}
    tiny.edit(tiny.local("reader"), lambda c: c["tools"]["say"]["environment"].update(named))
    (tiny.folder("portal") / "etc").mkdir()
    (tiny.folder("portal") / "etc" / "key.j2").write_text("{% if true %}{{ READER_TOKEN }}{% endif %}")
    etc = tiny.folder("reader") / "etc" / "more"
    (etc / "key").write_text("{{ READER_DATABASE_PASSWORD }}")
    (etc / "whole.conf.j2").write_text('key={% include "more/key" %}')
    stack = load_stack(tiny.root)
    assert secret_places._environments(stack)["reader", "s3_secret_key"] == ["tool `say` of reader"]
    assert secret_places._files(stack)["portal", "reader_token"][-1] == "`key` of portal"
    assert secret_places._files(stack)["reader", "database_password"] == ["`more/whole.conf` of reader"]


def test_servers_are_those_that_made_something_for_a_holder(tiny: Tiny) -> None:
    users = ("reader", "pipelines", "checks")
    databases = {(name, "database_password"): ["postgresql, a SCRAM verifier"] for name in ("reader", "checks")}
    made = {(name, "s3_secret_key"): ["minio, on its drives"] for name in users}
    assert secret_places._servers(load_stack(tiny.root)) == {**databases, **made}
    assert secret_places._servers(load_stack(tiny.root, "weeds")) == databases
    listed = secret_places._files(load_stack(tiny.root, "weeds"))
    assert [listed[name, "s3_secret_key"] for name in users] == [["`users.json` of weeds"]] * 3
