"""Who is told which secret on the `local` target: its holder, where he names it, and nobody else."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NOT_YET, holders
from data_platform.targets.local.target import LocalTarget
from tests.unit.targets.local.conftest import again, deploy, short, steps

if TYPE_CHECKING:
    from tests.conftest import Tiny


def test_who_only_looks_generates_nothing_and_who_applies_does(place: LocalTarget) -> None:
    steps(place)
    place.condition("reader")
    assert place.credentials("reader")["token"] == NOT_YET
    assert not place.state.credentials_file.exists()
    deploy(place)
    assert NOT_YET not in place.credentials("reader").values()
    assert NOT_YET not in (place.state.etc("reader") / "reader.conf").read_text()


def test_credentials_are_asked_for_by_holder(place: LocalTarget) -> None:
    place.ensure_credentials()
    assert set(place.credentials("checks")) == {
        "database_user",
        "database_password",
        "s3_access_key",
        "s3_secret_key",
    }
    assert place.credentials("s3") == place.credentials("minio")
    with pytest.raises(PlatformError, match="nobody named 'pages' holds credentials"):
        place.credentials("pages")


def test_a_rotated_secret_reaches_who_holds_it_and_restarts_nobody_else(place: LocalTarget) -> None:
    deploy(place)
    deploy(place, "portal")
    before = place.credentials("reader")["token"]
    following = place.stage("reader", "token")
    assert place.credentials("reader")["token"] == before
    assert steps(place) == []
    place.promote("reader", "token")
    assert place.credentials("reader")["token"] == following
    assert short(steps(again(place))) == [
        "write file reader.conf",
        "run job announce",
        "restart process server",
    ]
    assert steps(again(place), "portal") == []


def test_a_secret_of_another_holder_is_known_to_nobody_else(place: LocalTarget) -> None:
    deploy(place)
    strangers = [
        value
        for name in ("minio", "postgresql", "portal", "pipelines", "checks")
        for key, value in place.credentials(name).items()
        if key in holders(place.stack)[name].generated
    ]
    assert len(strangers) == 7
    files = [p for p in place.state.folder.rglob("*") if p.is_file() and p != place.state.credentials_file]
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    assert place.credentials("reader")["token"] in text
    assert [value for value in strangers if value in text] == []


def test_those_for_whom_a_server_makes_tokens_are_in_its_file_by_their_digests(place: LocalTarget) -> None:
    deploy(place)
    listed = json.loads((place.state.etc("reader") / "tokens.json").read_text())
    digests = {
        name: hashlib.sha256(place.credentials(name)["reader_token"].encode()).hexdigest()
        for name in ("portal", "pipelines")
    }
    assert {entry["name"]: entry["sha256"] for entry in listed} == digests
    assert place.credentials("portal")["reader_token"] not in str(listed)


def test_the_file_of_a_server_changes_with_those_for_whom_it_makes_something(place: LocalTarget, tiny: Tiny) -> None:
    deploy(place)
    tiny.edit(tiny.component("portal"), lambda c: c.pop("claims"))
    changed = again(place)
    assert short(steps(changed)) == ["write file tokens.json", "run job announce", "restart process server"]
    deploy(changed)
    names = [entry["name"] for entry in json.loads((place.state.etc("reader") / "tokens.json").read_text())]
    assert names == ["pipelines"]


@pytest.mark.parametrize("binding", ["READER_TOKEN", "S3_SECRET_KEY", "READER_DATABASE_PASSWORD"])
def test_a_secret_in_a_command_is_an_error_that_names_it(place: LocalTarget, tiny: Tiny, binding: str) -> None:
    deploy(place)
    word = f"--key={{{{ {binding} }}}}"
    for part, name in (("processes", "server"), ("jobs", "announce"), ("tools", "say")):
        before = tiny.local("reader").read_text(encoding="utf-8")
        tiny.edit(tiny.local("reader"), lambda c, p=part, n=name: c[p][n]["command"].append(word))
        broken = again(place)
        with pytest.raises(PlatformError, match=binding) as caught:
            broken.tool_command("reader", "say", []) if part == "tools" else broken.wanted("reader")
        assert name in caught.value.problem
        assert place.credentials("reader")["token"] not in str(caught.value)
        tiny.local("reader").write_text(before, encoding="utf-8")


@pytest.mark.parametrize("where", ["creates", "ready", "directory"])
def test_a_secret_in_a_path_or_a_probe_is_an_error_too(place: LocalTarget, tiny: Tiny, where: str) -> None:
    said = "{{ DATA }}/{{ READER_TOKEN }}"
    changes: dict[str, Any] = {
        "creates": lambda c: c["jobs"]["prepare"].update(creates=said),
        "ready": lambda c: c["processes"]["server"]["ready"].update(command=["test", "-e", said]),
        "directory": lambda c: c["processes"]["server"].update(directory=said),
    }
    tiny.edit(tiny.local("reader"), changes[where])
    with pytest.raises(PlatformError, match="READER_TOKEN"):
        deploy(again(place))
