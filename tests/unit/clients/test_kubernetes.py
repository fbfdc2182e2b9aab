"""The client of the Kubernetes API, against a small API server on a loopback port."""

from __future__ import annotations

import json
import pickle
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients import kubernetes_api
from data_platform.clients.kubernetes import Cluster, connect, connect_in_pod
from data_platform.clients.kubernetes_api import contexts
from data_platform.clients.kubernetes_errors import CONFLICT, NO_TOKEN, ClusterError, away, refused
from data_platform.clients.kubernetes_forward import Backend, backends
from tests.unit.clients.fake_api_server import FakeApiServer, Frames, Handler, status, write_kubeconfig

pytestmark = pytest.mark.enable_socket

SPACE = "data-platform-storage"
PODS = f"/api/v1/namespaces/{SPACE}/pods"


@pytest.fixture
def fake() -> Iterator[FakeApiServer]:
    with FakeApiServer().running() as server:
        yield server


@pytest.fixture
def cluster(fake: FakeApiServer, tmp_path: Path) -> Cluster:
    return connect("lab", fake.kubeconfig(tmp_path, "lab"), seconds=60)


def answers(fake: FakeApiServer, handler: Handler) -> None:
    fake.answer = handler


# Which cluster


def test_a_kubeconfig_that_happens_to_be_set_is_not_used(fake: FakeApiServer, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path, "production", "lab")))
    with pytest.raises(ClusterError, match="no cluster was named") as caught:
        connect()
    assert caught.value.remedy == "name a context: --context lab or production"
    assert fake.seen == []


def test_a_named_context_of_that_kubeconfig_is_used(fake: FakeApiServer, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path, "lab")))
    assert connect("lab").host == fake.host


def test_a_context_that_does_not_exist_is_named_with_those_that_do(fake: FakeApiServer, tmp_path: Path) -> None:
    path = fake.kubeconfig(tmp_path, "lab", "production")
    with pytest.raises(ClusterError, match="there is no context 'prod'") as caught:
        connect("prod", path)
    assert caught.value.remedy == "name one of: lab, production"


def test_a_kubeconfig_that_is_missing_has_no_contexts(tmp_path: Path) -> None:
    assert contexts(tmp_path / "nothing") == []


def test_a_proxy_of_the_environment_is_not_used(fake: FakeApiServer, tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    answers(fake, lambda *_: (200, {"major": "1", "minor": "37"}))
    assert connect("lab", fake.kubeconfig(tmp_path, "lab")).version() == (1, 37)


def test_a_pod_without_a_token_is_told_so_when_it_asks_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_api, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    cluster = connect_in_pod()
    with pytest.raises(ClusterError, match="this pod holds no token") as caught:
        cluster.get("v1", "Secret", "s", SPACE)
    assert caught.value.reason == NO_TOKEN
    assert "deployer_pod()" in caught.value.remedy


# Objects


def test_every_request_says_who_we_are(fake: FakeApiServer, cluster: Cluster) -> None:
    answers(fake, lambda *_: (200, {"major": "1", "minor": "34+"}))
    assert cluster.version() == (1, 34)
    assert fake.headers[0]["authorization"] == "Bearer sesame"


def test_an_object_that_is_not_there_is_none(cluster: Cluster) -> None:
    assert cluster.get("v1", "Pod", "gone", SPACE) is None


def test_all_pages_of_a_list_are_read_and_each_object_says_what_it_is(fake: FakeApiServer, cluster: Cluster) -> None:
    def answer(_method: str, _path: str, query: dict[str, str], _body: Any) -> Any:
        assert query["labelSelector"] == "app.kubernetes.io/name=minio"
        name, more = ("b", {"continue": "next"}) if "continue" not in query else ("a", {})
        return 200, {"metadata": more, "items": [{"metadata": {"name": name, "namespace": SPACE}}]}

    answers(fake, answer)
    found = cluster.list_objects("v1", "Pod", SPACE, labels="app.kubernetes.io/name=minio")
    assert [item["metadata"]["name"] for item in found] == ["a", "b"]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "Pod")}


def test_a_list_that_expires_between_two_pages_is_read_again_as_a_whole(fake: FakeApiServer, cluster: Cluster) -> None:
    def answer(_method: str, _path: str, query: dict[str, str], _body: Any) -> Any:
        if "continue" in query:
            return 410, {"message": "The provided continue parameter is too old", "reason": "Expired"}
        names, more = (["a"], {"continue": "next"}) if "limit" in query else (["a", "b"], {})
        return 200, {"metadata": more, "items": [{"metadata": {"name": name, "namespace": SPACE}} for name in names]}

    answers(fake, answer)
    assert [item["metadata"]["name"] for item in cluster.list_objects("v1", "Pod", SPACE)] == ["a", "b"]


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": SPACE}, "data": {"old": "eA=="}}


def test_an_object_is_made_once(fake: FakeApiServer, cluster: Cluster) -> None:
    made = cluster.create(SECRET)
    assert made["data"] == SECRET["data"]
    method, path, query, body = fake.seen[0]
    assert (method, path, body) == ("POST", f"/api/v1/namespaces/{SPACE}/secrets", SECRET)
    assert query == {"fieldManager": "data-platform", "fieldValidation": "Strict"}
    with pytest.raises(ClusterError, match=f"making Secret s in {SPACE}: .*already exists") as caught:
        cluster.create({**SECRET, "data": {"new": "eA=="}})
    assert caught.value.reason == CONFLICT
    assert cluster.get("v1", "Secret", "s", SPACE) == made


def test_of_two_that_make_an_object_at_the_same_time_one_is_told_so(cluster: Cluster) -> None:
    together = threading.Barrier(2)

    def make(who: str) -> str:
        together.wait(60)
        try:
            return str(cluster.create({**SECRET, "data": {"of": who}})["data"]["of"])
        except ClusterError as error:
            return error.reason

    with ThreadPoolExecutor(2) as pool:
        outcomes = set(pool.map(make, ["a", "b"]))
    kept = cluster.get("v1", "Secret", "s", SPACE)
    assert kept is not None
    assert outcomes == {CONFLICT, kept["data"]["of"]}


def test_a_change_counts_only_for_what_was_seen(fake: FakeApiServer, cluster: Cluster) -> None:
    seen = cluster.create(SECRET)
    cluster.merge(seen, {"data": {"new": "eA==", "old": None}})
    method, path, _, body = fake.seen[-1]
    assert (method, path) == ("PATCH", f"/api/v1/namespaces/{SPACE}/secrets/s")
    version = seen["metadata"]["resourceVersion"]
    assert body == {"data": {"new": "eA==", "old": None}, "metadata": {"resourceVersion": version}}
    assert fake.headers[-1]["Content-Type"] == "application/merge-patch+json"
    with pytest.raises(ClusterError, match="changing Secret s") as caught:
        cluster.merge(seen, {"data": {"newer": "eA=="}})
    assert caught.value.reason == CONFLICT
    again = cluster.get("v1", "Secret", "s", SPACE)
    assert again is not None
    assert again["data"] == {"new": "eA=="}
    assert cluster.merge(again, {"data": {"newer": "eA=="}})["data"].keys() == {"new", "newer"}


def test_applying_owns_the_fields_under_our_name(fake: FakeApiServer, cluster: Cluster) -> None:
    cluster.server_side_apply(SECRET)
    method, path, query, body = fake.seen[0]
    assert (method, path, body) == ("PATCH", f"/api/v1/namespaces/{SPACE}/secrets/s", SECRET)
    assert query == {"fieldManager": "data-platform", "force": "true", "fieldValidation": "Strict"}
    assert fake.headers[0]["Content-Type"] == "application/apply-patch+yaml"
    # What we say no more goes; what others say stays.
    cluster.server_side_apply({**SECRET, "data": {"theirs": "eA=="}}, field_manager="another")
    assert cluster.server_side_apply({**SECRET, "data": {"new": "eA=="}})["data"].keys() == {"theirs", "new"}


def test_objects_are_found_by_their_labels_and_are_gone_when_they_are_deleted(cluster: Cluster) -> None:
    cluster.create(SECRET | {"metadata": SECRET["metadata"] | {"labels": {"of": "nessie"}}})  # type: ignore[operator]
    assert [found["kind"] for found in cluster.list_objects("v1", "Secret", SPACE, labels="of=nessie")] == ["Secret"]
    assert cluster.list_objects("v1", "Secret", SPACE, labels="of=trino") == []
    assert cluster.delete("v1", "Secret", "s", SPACE) is True
    assert cluster.get("v1", "Secret", "s", SPACE) is None


def test_a_dry_run_is_asked_for_as_such(fake: FakeApiServer, cluster: Cluster) -> None:
    answers(fake, lambda _m, _p, _q, body: (200, body))
    cluster.server_side_apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}, dry_run=True, force=False
    )
    assert fake.seen[0][1] == "/api/v1/namespaces/n"
    assert fake.seen[0][2] | {"dryRun": "All", "force": "false"} == fake.seen[0][2]


def test_fields_of_another_owner_are_a_conflict_that_names_them_until_they_are_taken(cluster: Cluster) -> None:
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": SPACE}}
    cluster.server_side_apply({**web, "spec": {"replicas": 1}}, field_manager="kubectl-edit")
    with pytest.raises(ClusterError, match=r"applying Deployment web in .*kubectl-edit.*\.spec\.replicas") as caught:
        cluster.server_side_apply({**web, "spec": {"replicas": 2}}, force=False)
    assert caught.value.reason == CONFLICT
    assert cluster.server_side_apply({**web, "spec": {"replicas": 2}})["spec"] == {"replicas": 2}


def test_deleting_what_is_not_there_is_no_error(fake: FakeApiServer, cluster: Cluster) -> None:
    assert cluster.delete("v1", "Pod", "gone", SPACE) is False
    answers(fake, lambda *_: (200, {}))
    assert cluster.delete("v1", "Pod", "there", SPACE, uid="u1") is True
    assert fake.seen[-1][3]["preconditions"] == {"uid": "u1"}


def test_a_kind_that_the_cluster_does_not_have_is_an_error_that_says_so(cluster: Cluster) -> None:
    assert cluster.knows("v1", "Pod")
    assert not cluster.knows("monitoring.coreos.com/v1", "ServiceMonitor")
    with pytest.raises(ClusterError, match="no kind ServiceMonitor of monitoring") as caught:
        cluster.list_objects("monitoring.coreos.com/v1", "ServiceMonitor", SPACE)
    assert "CustomResourceDefinition" in caught.value.remedy


def test_a_permission_is_asked_for_by_resource_and_part(fake: FakeApiServer, cluster: Cluster) -> None:
    answers(
        fake,
        lambda _m, _p, _q, body: (201, {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] == "get"}}),
    )
    assert cluster.can_i("get", "pods/log", SPACE)
    assert not cluster.can_i("create", "deployments", SPACE, group="apps")
    first, second = (body["spec"]["resourceAttributes"] for *_, body in fake.seen)
    assert (first["resource"], first["subresource"], first["namespace"]) == ("pods", "log", SPACE)
    assert (second["resource"], second["group"]) == ("deployments", "apps")


# Refusals


@pytest.mark.parametrize(
    ("code", "message", "reason", "remedy"),
    [
        (401, "Unauthorized", "Unauthorized", "renew the credentials"),
        (403, 'secrets "s" is forbidden: User "u" cannot get resource', "Forbidden", "the permission"),
        (403, 'pods "p" is forbidden: exceeded quota: platform, requested: pods=1', "Forbidden", "raise the quota"),
        (403, 'pods "p" is forbidden: violates PodSecurity "restricted:latest"', "Forbidden", "security context"),
        (403, "maximum memory usage per Container is 1Gi, but limit is 2Gi", "Forbidden", "LimitRange"),
        (404, "not found", "NotFound", "deploy the component"),
        (409, "the object has been modified", "Conflict", "someone else changed"),
        (422, "spec.replicas: Invalid value", "Invalid", "correct the field"),
        (500, "etcdserver: leader changed", "HTTP 500", "log"),
    ],
)
def test_each_refusal_has_its_remedy(code: int, message: str, reason: str, remedy: str) -> None:
    error = refused("reading Pod p", code, json.dumps({"message": message}).encode())
    assert (error.reason, message in error.problem, remedy in error.remedy) == (reason, True, True)
    assert error.problem.startswith("reading Pod p: ")


def test_a_refusal_that_is_no_json_is_shown_as_it_is() -> None:
    assert refused("reading", 502, b"<html>Bad Gateway</html>").problem == "reading: <html>Bad Gateway</html>"
    assert refused("reading", 503, b"").problem == "reading: the API server answers 503"


def test_an_error_survives_its_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(refused("reading", 404, b"")))
    assert (error.reason, error.remedy) == ("NotFound", refused("reading", 404, b"").remedy)


@contextmanager
def away_server(handler: Handler | None = None) -> Iterator[FakeApiServer]:
    """It has its port, so that nobody else gets it, and does not listen: who connects is refused."""
    fake = FakeApiServer(handler)
    try:
        yield fake
    finally:
        fake.close()


def test_an_api_server_that_is_away_is_named(tmp_path: Path) -> None:
    with away_server() as fake:
        path = fake.kubeconfig(tmp_path, "lab")
        with pytest.raises(ClusterError, match=rf"the API server at {fake.host} cannot be reached") as caught:
            connect("lab", path, seconds=60).version()
    assert caught.value.reason == "Unreachable"


def test_an_api_server_that_does_not_answer_ends_with_its_deadline(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = write_kubeconfig(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}", "lab")
        with pytest.raises(ClusterError, match="does not answer in time") as caught:
            connect("lab", path, seconds=0.5).version()
        assert caught.value.reason == "Timeout"


def test_a_certificate_that_is_not_trusted_is_told_as_such() -> None:
    error = away("https://cluster:6443", OSError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"))
    assert error.reason == "Certificate"


def test_a_kept_connection_that_the_server_closed_is_made_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tries: list[bytes] = []

        def serve() -> None:
            for last in (False, True):
                connection, _ = listener.accept()
                with connection:
                    tries.append(connection.recv(4096))
                    if last:
                        body = b'{"major": "1", "minor": "37"}'
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=serve)
        thread.start()
        path = write_kubeconfig(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}", "lab")
        assert connect("lab", path, seconds=60).version() == (1, 37)
        thread.join()
        assert len(tries) == 2


# Watching


def pod(phase: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": "job", "resourceVersion": version}, "status": {"phase": phase}}


def test_a_pod_is_watched_until_it_has_ended(fake: FakeApiServer, cluster: Cluster) -> None:
    def events() -> Iterator[bytes]:
        for event in ({"type": "MODIFIED", "object": pod("Running")}, {"type": "MODIFIED", "object": pod("Succeeded")}):
            line = json.dumps(event).encode() + b"\n"
            yield line[:20]
            yield line[20:]

    answers(fake, lambda _m, _p, query, _b: events() if "watch" in query else (200, pod("Pending")))
    assert cluster.wait_for_pod("job", SPACE, 60)["status"]["phase"] == "Succeeded"
    assert fake.seen[-1][2]["fieldSelector"] == "metadata.name=job"


def test_a_watch_that_is_too_old_is_begun_again(fake: FakeApiServer, cluster: Cluster) -> None:
    looks = iter(["Running", "Succeeded"])
    gone = json.dumps({"type": "ERROR", "object": status("Expired", "too old", 410)}).encode() + b"\n"
    answers(fake, lambda _m, _p, query, _b: iter([gone]) if "watch" in query else (200, pod(next(looks))))
    assert cluster.wait_for_pod("job", SPACE, 60)["status"]["phase"] == "Succeeded"


def test_a_pod_that_somebody_removes_is_an_error(fake: FakeApiServer, cluster: Cluster) -> None:
    line = json.dumps({"type": "DELETED", "object": pod("Running")}).encode() + b"\n"
    answers(fake, lambda _m, _p, query, _b: iter([line]) if "watch" in query else (200, pod("Running")))
    with pytest.raises(ClusterError, match="was removed while it ran"):
        cluster.wait_for_pod("job", SPACE, 60)


def test_a_pod_that_goes_on_ends_the_wait_with_its_deadline(fake: FakeApiServer, cluster: Cluster) -> None:
    answers(fake, lambda _m, _p, query, _b: iter([]) if "watch" in query else (200, pod("Running")))
    with pytest.raises(ClusterError, match="not done after 1 s") as caught:
        cluster.wait_for_pod("job", SPACE, 1)
    assert caught.value.reason == "Timeout"


def test_an_api_server_that_is_away_for_a_moment_does_not_end_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        fake = stack.enter_context(away_server(lambda *_: (200, pod("Succeeded"))))
        cluster = connect("lab", fake.kubeconfig(tmp_path, "lab"), seconds=60)
        cluster._api._kinds["v1"] = {"Pod": ("pods", True)}
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            """The wait was refused once, and pauses; from now on the server listens."""
            if not pauses:
                stack.enter_context(fake.running())
            pauses.append(seconds)

        monkeypatch.setattr("data_platform.clients.kubernetes.time.sleep", pause)
        assert cluster.wait_for_pod("job", SPACE, 60)["status"]["phase"] == "Succeeded"
        assert pauses


def test_an_api_server_that_stays_away_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.clients.kubernetes._AWAY_SECONDS", 0.5)
    with away_server() as fake:
        cluster = connect("lab", fake.kubeconfig(tmp_path, "lab"), seconds=60)
        cluster._api._kinds["v1"] = {"Pod": ("pods", True)}
        with pytest.raises(ClusterError, match="cannot be reached"):
            cluster.wait_for_pod("job", SPACE, 60)


# Commands in pods


def ended(frames: Frames, code: int = 0) -> None:
    said: dict[str, Any] = {"status": "Success"}
    if code:
        said = {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}
    frames.send(3, json.dumps(said).encode())
    frames.send(0, b"\x03\xe8", opcode=8)


def test_a_command_gets_its_input_and_its_end_and_both_outputs_come_back(fake: FakeApiServer, cluster: Cluster) -> None:
    got = bytearray()

    def cat(frames: Frames, query: list[tuple[str, str]]) -> None:
        assert [value for key, value in query if key == "command"] == ["cat", "-u"]
        while (frame := frames.receive()) and frame[1] != b"\xff\x00":
            assert frame[1][0] == 0
            got.extend(frame[1][1:])
            frames.send(1, frame[1][1:])
        frames.send(2, b"done")
        ended(frames, 7)

    fake.streams[f"{PODS}/minio-0/exec"] = cat
    # More than all buffers on the way hold: one direction must not wait for the other.
    sent = bytes(range(256)) * 32768
    done = cluster.execute("minio-0", SPACE, ["cat", "-u"], sent, container="server", seconds=60)
    assert (done.returncode, done.stderr) == (7, b"done")
    assert done.stdout == sent == bytes(got)
    assert fake.seen[0][2]["container"] == "server"
    assert fake.headers[0]["Sec-WebSocket-Protocol"] == "v5.channel.k8s.io"


def test_a_command_that_goes_on_ends_with_its_deadline(fake: FakeApiServer, cluster: Cluster) -> None:
    over = threading.Event()
    fake.streams[f"{PODS}/minio-0/exec"] = lambda _frames, _query: over.wait(60) and None
    try:
        with pytest.raises(ClusterError, match=r"sleep in Pod minio-0 in .*: not done after 2 s") as caught:
            cluster.execute("minio-0", SPACE, ["sleep", "9"], seconds=2)
    finally:
        over.set()
    assert caught.value.reason == "Timeout"


def test_a_pod_that_is_gone_is_named(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="pods/gone/exec not found") as caught:
        cluster.execute("gone", SPACE, ["true"], seconds=60)
    assert caught.value.reason == "NotFound"


def test_a_connection_that_breaks_is_no_success(fake: FakeApiServer, cluster: Cluster) -> None:
    fake.streams[f"{PODS}/minio-0/exec"] = lambda frames, _query: frames.send(1, b"half")
    with pytest.raises(ClusterError, match="the connection broke before the command ended"):
        cluster.execute("minio-0", SPACE, ["true"], seconds=60)


def test_a_ping_is_answered_and_is_no_output(fake: FakeApiServer, cluster: Cluster) -> None:
    def serve(frames: Frames, _query: list[tuple[str, str]]) -> None:
        frames.receive()  # the end of its input
        frames.send(0, b"there?", opcode=9)
        assert frames.receive() == (10, b"there?")
        frames.send(1, b"out")
        ended(frames)

    fake.streams[f"{PODS}/minio-0/exec"] = serve
    assert cluster.execute("minio-0", SPACE, ["true"], seconds=60) == (0, b"out", b"")


def test_the_last_lines_of_a_log_of_the_try_before_are_asked_for(fake: FakeApiServer, cluster: Cluster) -> None:
    answers(fake, lambda *_: (200, b"one\ntwo\n"))
    assert cluster.logs("minio-0", SPACE, container="server", lines=2, previous=True) == "one\ntwo\n"
    assert fake.seen[0][2] == {"container": "server", "tailLines": "2", "previous": "true"}


# Ports of Services

SERVICE = {
    "metadata": {"name": "minio"},
    "spec": {"ports": [{"name": "http", "port": 9000}, {"name": "console", "port": 9001}]},
}


def piece(*pods: tuple[str, bool], port: int = 9000) -> dict[str, Any]:
    return {
        "metadata": {"name": "minio-x", "namespace": SPACE},
        "ports": [{"name": "http", "port": port}, {"name": "console", "port": 9001}],
        "endpoints": [
            {"targetRef": {"kind": "Pod", "name": name}, "conditions": {"ready": ready}} for name, ready in pods
        ],
    }


def test_a_service_leads_to_its_ready_pods_at_their_own_port() -> None:
    found = backends(SERVICE, [piece(("minio-1", True), ("minio-0", True), ("minio-2", False), port=9900)], 9000)
    assert found == [Backend("minio-0", 9900), Backend("minio-1", 9900)]


def test_a_port_that_a_service_does_not_have_is_told() -> None:
    with pytest.raises(ClusterError, match="Service minio has no port 1234") as caught:
        backends(SERVICE, [], 1234)
    assert "9000, 9001" in caught.value.remedy


def echo(name: bytes, port: int = 9000) -> Any:
    def serve(frames: Frames, query: list[tuple[str, str]]) -> None:
        assert query == [("ports", str(port))]
        for channel in (0, 1):
            frames.send(channel, port.to_bytes(2, "little"))
        while frame := frames.receive():
            if frame[0] != 2:
                return
            frames.send(0, name + frame[1][1:])

    return serve


def serves(fake: FakeApiServer, *pods: str) -> None:
    """Pods that echo, and a Service over them."""
    for name in pods:
        fake.streams[f"{PODS}/{name}/portforward"] = echo(name.encode() + b":")
    slices = {"metadata": {}, "items": [piece(*((name, True) for name in pods))]}
    answers(fake, lambda _m, path, _q, _b: (200, slices if path.endswith("endpointslices") else SERVICE))


def ask(port: int, words: bytes, size: int = 0) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(words)
        got = b""
        while len(got) < (size or 1) and (data := connection.recv(65536)):
            got += data
        return got


def test_a_local_port_leads_to_the_pods_of_a_service(fake: FakeApiServer, cluster: Cluster) -> None:
    serves(fake, "minio-0", "minio-1")
    with cluster.port_forward("minio", SPACE, 9000) as forward:
        assert forward.host == "127.0.0.1"
        answered = {ask(forward.port, b"hello") for _ in range(4)}
    assert answered == {b"minio-0:hello", b"minio-1:hello"}


def test_many_connections_and_much_data_go_through_at_a_time(fake: FakeApiServer, cluster: Cluster) -> None:
    serves(fake, "minio-0")
    fake.streams[f"{PODS}/minio-0/portforward"] = echo(b"")
    got: dict[int, bytes] = {}
    sent = b"0123456789abcdef" * 65536
    with cluster.port_forward("minio", SPACE, 9000) as forward:

        def one(index: int) -> None:
            got[index] = both_ways(forward.port, sent)

        threads = [threading.Thread(target=one, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(got[index] == sent for index in range(8))


def both_ways(port: int, sent: bytes) -> bytes:
    """Send and receive at the same time, as a client that streams does."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        sender = threading.Thread(target=connection.sendall, args=(sent,))
        sender.start()
        got = bytearray()
        while len(got) < len(sent) and (data := connection.recv(65536)):
            got += data
        sender.join()
        return bytes(got)


def test_a_new_connection_goes_to_another_pod_when_one_has_died(fake: FakeApiServer, cluster: Cluster) -> None:
    serves(fake, "minio-0", "minio-1")
    with cluster.port_forward("minio", SPACE, 9000) as forward:
        assert ask(forward.port, b"hello")
        # Its Service still names it for a moment.
        del fake.streams[f"{PODS}/minio-1/portforward"]
        assert {ask(forward.port, b"hello") for _ in range(4)} == {b"minio-0:hello"}


def test_without_a_ready_pod_a_connection_ends_and_the_reason_is_kept(fake: FakeApiServer, cluster: Cluster) -> None:
    serves(fake)
    with cluster.port_forward("minio", SPACE, 9000) as forward:
        assert ask(forward.port, b"") == b""
        assert "has no pod that is ready" in forward.problem


def test_what_the_pod_says_went_wrong_is_kept(fake: FakeApiServer, cluster: Cluster) -> None:
    serves(fake, "minio-0")

    def refuse(frames: Frames, _query: list[tuple[str, str]]) -> None:
        for channel in (0, 1):
            frames.send(channel, b"\x28\x23")
        frames.send(1, b"dial tcp4 127.0.0.1:9000: connect: connection refused")

    fake.streams[f"{PODS}/minio-0/portforward"] = refuse
    with cluster.port_forward("minio", SPACE, 9000) as forward:
        assert ask(forward.port, b"") == b""

        def told() -> None:
            assert "connection refused" in forward.problem

        Deadline(60).retry(told, on=AssertionError)


def test_the_local_port_is_free_again_at_the_end(fake: FakeApiServer, cluster: Cluster) -> None:
    serves(fake, "minio-0")
    with cluster.port_forward("minio", SPACE, 9000) as forward:
        kept = socket.create_connection(("127.0.0.1", forward.port), timeout=60)
        kept.sendall(b"x")
        assert kept.recv(100) == b"minio-0:x"
    with kept:
        assert kept.recv(100) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", forward.port), timeout=60)


def test_a_local_port_may_be_chosen_and_one_that_is_taken_is_refused(fake: FakeApiServer, cluster: Cluster) -> None:
    serves(fake, "minio-0")
    with cluster.port_forward("minio", SPACE, 9000) as first:
        free = first.port
        with pytest.raises(OSError, match="in use"), cluster.port_forward("minio", SPACE, 9000, free):
            pytest.fail("two listen on one port")
    with cluster.port_forward("minio", SPACE, 9000, free) as again:
        assert again.port == free
        assert ask(free, b"hello") == b"minio-0:hello"
