"""What the servers are told, and what runs in the cluster, is whole and consistent."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from bootstrap.cluster import addons, binaries, images, pki, servers, settings
from bootstrap.cluster.layout import DNS_SERVICE, Layout
from bootstrap.cluster.machine import Record

RECORD = Record("0123456789ab", "data-platform-cluster-0123456789ab", "dp0123456789ab", "10.90.0.1", "10.90.0.2", ())


@pytest.fixture
def programs(cache: Path) -> binaries.Programs:
    """The programs of this checkout; nothing is built."""
    return binaries.programs(cache)


@pytest.fixture
def layout(tmp_path: Path, programs: binaries.Programs) -> Layout:
    found = Layout(tmp_path / "a state")
    pki.make(found, RECORD.node)
    settings.write(found, RECORD, images.own(programs)["pause"].name, Path("/usr/lib/cni"))
    return found


def _servers(layout: Layout, programs: binaries.Programs) -> list[servers.Server]:
    first = servers.api_level(layout, RECORD, programs) + servers.runtime(layout)
    return first + servers.full_level(layout, RECORD, programs)


def test_nothing_is_built_by_looking(programs: binaries.Programs, cache: Path) -> None:
    assert not programs.are_there
    assert not cache.exists()
    assert set(programs.placed) == {"kubernetes", "local_path", "agents"}


def test_a_program_of_every_image_is_built(programs: binaries.Programs) -> None:
    own = images.own(programs)
    assert len(own) >= 2
    for image in own.values():
        assert image.entrypoint[0] in image.files
        assert image.name.startswith("localhost/data-platform/")


def test_every_file_that_a_server_is_told_is_there(layout: Layout, programs: binaries.Programs) -> None:
    found = _servers(layout, programs)
    assert len(found) == 8
    for server in found:
        for word in server.command:
            path = Path(word.partition("=")[2] or word)
            if path.is_relative_to(layout.etc) or path.is_relative_to(layout.pki):
                assert path.is_file(), word
        assert all(file.is_file() for file in server.files)


def test_only_this_machine_reaches_the_servers(layout: Layout, programs: binaries.Programs) -> None:
    (api,) = [s for s in _servers(layout, programs) if s.name == "kube-apiserver"]
    assert f"--bind-address={RECORD.node}" in api.command
    kubelet = json.loads((layout.etc / "kubelet.yaml").read_text())
    assert kubelet["address"] == RECORD.node
    assert kubelet["authentication"]["anonymous"]["enabled"] is False
    assert kubelet["nodeStatusMaxImages"] == -1
    assert kubelet["cgroupRoot"] == f"/{RECORD.group}"


def test_containerds_configuration_is_toml(layout: Layout, programs: binaries.Programs) -> None:
    found = tomllib.loads((layout.etc / "containerd.toml").read_text())
    cri = found["plugins"]["io.containerd.grpc.v1.cri"]
    assert found["root"] == str(layout.containerd)
    assert cri["sandbox_image"] == images.own(programs)["pause"].name
    assert cri["cni"]["conf_dir"] == str(layout.etc / "cni")


def test_the_network_of_pods_has_a_name_of_its_own(layout: Layout, tmp_path: Path) -> None:
    (file,) = (layout.etc / "cni").iterdir()
    assert json.loads(file.read_text())["name"] == layout.network
    assert Layout(tmp_path / "other").network != layout.network


def _objects(layout: Layout, programs: binaries.Programs) -> list[dict[str, Any]]:
    return addons.objects(layout.volumes, images.own(programs))


def test_addons_use_images_that_we_have(layout: Layout, programs: binaries.Programs) -> None:
    known = {image.name for image in images.own(programs).values()}
    deployments = [o for o in _objects(layout, programs) if o["kind"] == "Deployment"]
    assert {o["metadata"]["name"] for o in deployments} == {"coredns", "local-path-provisioner"}
    for deployment in deployments:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] in known
        assert container["imagePullPolicy"] == "Never"


def test_the_default_storage_class_makes_local_volumes(layout: Layout, programs: binaries.Programs) -> None:
    (found,) = [o for o in _objects(layout, programs) if o["kind"] == "StorageClass"]
    annotations = found["metadata"]["annotations"]
    assert annotations["storageclass.kubernetes.io/is-default-class"] == "true"
    assert annotations["defaultVolumeType"] == "local"
    (config,) = [o for o in _objects(layout, programs) if o["metadata"]["name"] == "local-path-config"]
    assert json.loads(config["data"]["config.json"])["nodePathMap"][0]["paths"] == [str(layout.volumes)]
    helper = yaml.safe_load(config["data"]["helperPod.yaml"])
    assert helper["spec"]["containers"][0]["image"] == images.own(programs)["storage"].name


def test_dns_is_where_the_kubelet_says(layout: Layout, programs: binaries.Programs) -> None:
    (service,) = [o for o in _objects(layout, programs) if o["kind"] == "Service"]
    kubelet = json.loads((layout.etc / "kubelet.yaml").read_text())
    assert [service["spec"]["clusterIP"]] == kubelet["clusterDNS"] == [DNS_SERVICE]


class FakeSupervisor:
    """Remembers what was started."""

    states_now: ClassVar[dict[str, str]] = {}
    started: ClassVar[list[str]] = []

    def __init__(self, _: Path) -> None:
        pass

    def states(self) -> dict[str, str]:
        return self.states_now

    def start(self, program: str) -> None:
        self.started.append(program)


def test_only_what_does_not_run_as_it_should_is_started(
    layout: Layout, programs: binaries.Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "Supervisor", FakeSupervisor)
    monkeypatch.setattr(FakeSupervisor, "started", [])
    wanted = _servers(layout, programs)
    assert servers.start(layout, wanted) == [server.name for server in wanted]
    # What the launcher does.
    for launch in (layout.state.run / "launch").glob("*.json"):
        content = json.loads(launch.read_text())
        Path(content["record"]).write_text(json.dumps({"digest": content["digest"]}))
    monkeypatch.setattr(FakeSupervisor, "states_now", {server.name: "RUNNING" for server in wanted})
    assert servers.start(layout, wanted) == []
    (layout.etc / "kubelet.yaml").write_text("{}")
    assert servers.start(layout, wanted) == ["kubelet"]
    monkeypatch.setitem(FakeSupervisor.states_now, "etcd", "FATAL")
    assert servers.start(layout, wanted) == ["etcd", "kubelet"]
