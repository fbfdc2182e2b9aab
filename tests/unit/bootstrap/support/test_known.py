"""Every secret that a platform keeps is known, and no name of it is taken for one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.support.known import STATE, Known, add_cluster, add_names, of_machine
from data_platform.clients.kubernetes_errors import FORBIDDEN, ClusterError
from data_platform.clients.supervisor import key_of
from data_platform.stack.holders import NOT_YET, holders
from data_platform.stack.load import load_stack
from data_platform.targets.kubernetes import places
from data_platform.targets.local.state import State, write_private
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

if TYPE_CHECKING:
    from tests.conftest import Tiny

CORE, STORAGE = "tiny-core", "tiny-storage"


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def test_every_generated_value_of_a_state_folder_is_known_and_no_fixed_one(tiny: Tiny, state: State) -> None:
    stack = load_stack(tiny.root)
    state.ensure_credentials(stack)
    state.stage("reader", "token")
    key_of(state.socket).write_text("the supervisor's", encoding="ascii")
    known = of_machine(state, {})
    add_names(known, stack)
    generated = {f"{name}/{key}" for name, each in holders(stack).items() for key in each.generated}
    assert len(generated) >= 8
    assert known.values.keys() == generated | {"reader/token_next", "supervisor/key"}
    assert known.blind == {}
    kept = json.loads(state.credentials_file.read_text())
    assert known.values["reader/token"] == kept["reader"]["token"]
    assert {"reader", "platform", "postgres", "s3_secret_key", "tiny-core"} <= known.public
    assert not known.public & set(known.values.values())


def test_without_a_stack_that_can_be_read_names_are_told_from_secrets_by_their_keys(state: State) -> None:
    entry = {
        "username": "postgres",
        "access_key": "nessie",
        "database_user": "x",
        "secret_key": "a",
        "password": NOT_YET,
    }
    write_private(state.credentials_file, json.dumps({"minio": entry}))
    assert of_machine(state, {}).values == {"minio/secret_key": "a"}


def test_what_the_command_was_told_as_a_secret_is_one(state: State) -> None:
    given = {"UV_INDEX_CORP_PASSWORD": "hush", "HOME": "/root", "GITHUB_TOKEN": "t", "TOKEN_URL": "u", "PASSWORD": ""}
    assert of_machine(state, given).values == {
        "environment/UV_INDEX_CORP_PASSWORD": "hush", "environment/GITHUB_TOKEN": "t", "environment/PASSWORD": "",
    }  # fmt: skip


def test_a_damaged_credentials_file_is_said_to_be_unknown(state: State) -> None:
    write_private(state.credentials_file, '{"minio": {"secret')
    found = of_machine(state, {})
    assert "is damaged" in found.blind[STATE]


def secret(cluster: FakeCluster, namespace: str, name: str, data: dict[str, str | bytes], **more: Any) -> None:
    labels = {places.MANAGED_BY: places.MANAGER} if more.pop("ours", False) else {}
    packed = {k: base64.b64encode(v if isinstance(v, bytes) else v.encode()).decode() for k, v in data.items()}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    cluster.objects["Secret", namespace, name] = {"kind": "Secret", "metadata": meta, "data": packed, **more}


def test_all_secrets_of_the_namespaces_are_known(tiny: Tiny) -> None:
    stack, cluster, known = load_stack(tiny.root), FakeCluster(), Known()
    secret(cluster, STORAGE, "minio-credentials", {"secret_key": "the store's"}, ours=True)
    files = {
        "x.properties": "port=8080\ndb.password=filed away\npath=/opt/x\n",
        "TOKEN": "told by name",
        "HOME": "/data",
    }
    secret(cluster, CORE, "portal-etc-0a1b", files, ours=True)
    secret(
        cluster, CORE, "git", {"username": "anna", "password": "of anna", "known": "a\nabcdefgh0123456789abcdefgh\n"}
    )
    docker = {"auths": {"r.example": {"username": "u", "password": "of the registry", "auth": "dTpw"}}}
    secret(cluster, CORE, "pull", {".dockerconfigjson": json.dumps(docker)})
    pem = "-----BEGIN CERTIFICATE-----\nMIIC0123456789abcdefghijklmnop\n-----END CERTIFICATE-----\n"
    secret(cluster, CORE, "tls", {"tls.crt": pem, "ca.crt": pem, "store.jks": b"\xfe\xed\xfe\xed"})
    secret(cluster, CORE, "sh.helm.release.v1.x", {"release": "not looked at"}, type="helm.sh/release.v1")
    secret(cluster, "others", "theirs", {"password": "of others"})
    add_cluster(known, cluster, stack)  # type: ignore[arg-type]
    assert known.blind == {}
    assert known.values == {
        "minio/secret_key": "the store's",
        f"{CORE}/portal-etc-0a1b/x.properties": "filed",
        f"{CORE}/portal-etc-0a1b/TOKEN": "told by name",
        f"{CORE}/git/password": "of anna",
        f"{CORE}/git/known": "abcdefgh0123456789abcdefgh",
        f"{CORE}/pull/.dockerconfigjson": "of the registry",
        f"{CORE}/pull/.dockerconfigjson.1": "dTpw",
    }


def test_a_namespace_whose_secrets_may_not_be_read_is_named_and_the_others_are_read(tiny: Tiny) -> None:
    class Closed(FakeCluster):
        def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[Any]:
            if namespace == CORE:
                raise ClusterError("listing Secrets in tiny-core: forbidden", "give it", FORBIDDEN)
            return super().list_objects(api_version, kind, namespace, labels)

    known, cluster = Known(), Closed()
    secret(cluster, STORAGE, "minio-credentials", {"secret_key": "the store's"}, ours=True)
    add_cluster(known, cluster, load_stack(tiny.root))  # type: ignore[arg-type]
    assert list(known.blind) == [CORE]
    assert "forbidden" in known.blind[CORE]
    assert known.values == {"minio/secret_key": "the store's"}
