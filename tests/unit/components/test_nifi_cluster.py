"""NiFi on its own and as a cluster: what its files say on either target, and the scripts that make a pod a member."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from data_platform.stack import lake
from data_platform.stack.definition import Kubernetes, Local, Process
from data_platform.stack.load import parse
from data_platform.stack.model import Component
from data_platform.targets.kubernetes import places
from data_platform.targets.local.state import State
from data_platform.targets.render import rendered_files

ROOT = Path(__file__).parents[3]
NIFI = ROOT / "stack/components/integration/nifi"
ZOOKEEPER = ROOT / "stack/components/integration/zookeeper"
DOMAIN = "zookeeper-server.data-platform-integration.svc.cluster.local"
BINDINGS = {
    "ARTIFACT_LIB": "/lib",
    "ARTIFACT_NARS": "/nars",
    "BIND": "127.0.0.1",
    "DATA": "/data",
    "ETC": "/etc/nifi",
    "NIFI_HTTP_PORT": "8480",
    "NIFI_SENSITIVE_PROPS_KEY": "a secret",
    "S3_ACCESS_KEY": "nifi",
    "S3_HTTP_URL": "http://store.example:9000",
    "S3_SECRET_KEY": "another secret",
}
CLUSTER = {**BINDINGS, "ZOOKEEPER_CLIENT_HOST": "zookeeper.example", "ZOOKEEPER_CLIENT_PORT": "2181"}


def properties(values: dict[str, str]) -> dict[str, str]:
    text = rendered_files(NIFI / "etc", values)["nifi.properties"].decode()
    lines = [line.partition("=") for line in text.splitlines() if line and not line.startswith("#")]
    assert len({name for name, _, _ in lines}) == len(lines), "a property is set twice"
    return {name: value for name, _, value in lines}


def providers(values: dict[str, str]) -> dict[str, dict[str, str]]:
    text = rendered_files(NIFI / "etc", values)["state-management.xml"].decode()
    return {
        str(provider.findtext("id")): {str(p.get("name")): str(p.text) for p in provider.iter("property")}
        for provider in ET.fromstring(text)
    }


def chart_values(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "chart/values.yaml").read_text(encoding="utf-8"))
    return found


def test_zookeeper_exists_on_kubernetes_alone_and_nifi_needs_it_there() -> None:
    assert not (ZOOKEEPER / "local.yaml").exists()
    assert parse(Kubernetes, ZOOKEEPER / "kubernetes.yaml").processes
    anywhere, here = parse(Component, NIFI / "component.yaml"), parse(Kubernetes, NIFI / "kubernetes.yaml")
    assert "zookeeper" not in anywhere.all_before + anywhere.all_called
    assert (here.after, here.calls) == (("zookeeper",), ("zookeeper",))


def test_the_version_of_zookeeper_is_the_same_everywhere() -> None:
    version = parse(Component, ZOOKEEPER / "component.yaml").version
    pom = (ZOOKEEPER / "image/lib.pom.xml").read_text(encoding="utf-8")
    assert f"<artifactId>zookeeper</artifactId><version>{version}</version>" in pom
    assert f"\norg.apache.zookeeper:zookeeper:{version} " in (ZOOKEEPER / "lib.lock").read_text(encoding="utf-8")


def test_nifi_on_its_own_is_no_node_and_listens_where_it_is_told() -> None:
    found = properties(BINDINGS)
    assert found["nifi.cluster.is.node"] == "false"
    assert found["nifi.web.http.host"] == "127.0.0.1"
    assert [name for name, value in found.items() if "zookeeper" in name or "@" in value] == []
    assert list(providers(BINDINGS)) == ["local-provider"]


def test_where_there_is_a_zookeeper_nifi_is_a_node_under_a_name_of_its_own() -> None:
    found = properties(CLUSTER)
    assert found["nifi.cluster.is.node"] == "true"
    assert found["nifi.zookeeper.connect.string"] == "zookeeper.example:2181"
    assert {name for name, value in found.items() if value == "@NODE@"} == {
        "nifi.web.http.host", "nifi.cluster.node.address",
    }  # fmt: skip
    state = providers(CLUSTER)
    assert state[found["nifi.state.management.provider.cluster"]]["Connect String"] == "zookeeper.example:2181"
    assert found["nifi.zookeeper.root.node"] == state["zk-provider"]["Root Node"]


def test_what_is_the_same_on_both_is_said_once() -> None:
    alone, node = properties(BINDINGS), properties(CLUSTER)
    assert {name for name in alone if alone[name] != node[name]} == {"nifi.web.http.host", "nifi.cluster.is.node"}


def test_the_ports_between_members_are_those_of_the_charts() -> None:
    ports = chart_values(NIFI)["workloads"]["nifi"]["ports"]
    found = properties(CLUSTER)
    assert [ports["cluster"], ports["load-balance"]] == [
        int(found[f"nifi.cluster.{name}.port"]) for name in ("node.protocol", "load.balance")
    ]
    ports = chart_values(ZOOKEEPER)["workloads"]["server"]["ports"]
    assert f":{ports['quorum']}:{ports['election']}" in (ZOOKEEPER / "etc/member.sh").read_text(encoding="utf-8")


def test_nobody_is_killed_for_having_no_leader() -> None:
    """Ready is who has one; alive is also who waits for one."""
    for folder, process in ((NIFI, "nifi"), (ZOOKEEPER, "server")):
        probes = chart_values(folder)["workloads"][process]["probes"]
        assert {kind for kind, probe in probes.items() if "tcpSocket" in probe} == {"startup", "liveness"}


# --- what flows may reach -----------------------------------------------------------------------------------------


def system_properties(process: Process) -> dict[str, str]:
    words = [word.removeprefix("-D").partition("=") for word in process.command if word.startswith("-Ddata.platform.")]
    return {name: value for name, _, value in words}


def test_files_come_from_where_the_platform_puts_them() -> None:
    on_kubernetes = parse(Kubernetes, NIFI / "kubernetes.yaml").processes
    assert on_kubernetes
    here = system_properties(parse(Local, NIFI / "local.yaml").processes["nifi"])
    there = system_properties(on_kubernetes["nifi"])
    assert here["data.platform.landing"] == "{{ STATE }}/landing"
    assert State(Path("/state")).landing("x") == Path("/state/landing/x")
    assert there["data.platform.landing"] == str(places.LANDING)
    assert chart_values(NIFI)["sharedVolumes"]["landing"]["mountPath"] == str(places.LANDING)
    for found in (here, there):
        assert found["data.platform.object.store"] == "{{ ETC }}/object-store.properties"


def test_the_key_of_the_store_is_in_a_file_of_its_own() -> None:
    files = rendered_files(NIFI / "etc", BINDINGS)
    lines = [line.partition("=") for line in files.pop("object-store.properties").decode().splitlines() if "=" in line]
    assert {name: value for name, _, value in lines} == {
        "endpoint": "http://store.example:9000",
        "region": lake.REGION,
        "access.key": "nifi",
        "secret.key": "another secret",
    }
    assert [name for name, content in files.items() if b"another secret" in content] == []


def test_code_comes_with_the_platform_alone() -> None:
    found = properties(BINDINGS)
    assert found["nifi.nar.persistence.provider.implementation"] == "dataplatform.nifi.NoNars"
    assert found["nifi.asset.manager.implementation"] == "dataplatform.nifi.NoAssets"
    folders = {name: value for name, value in found.items() if name.startswith("nifi.nar.library.")}
    assert set(folders.values()) == {"/lib", "/nars", "/etc/nifi"}


# --- the scripts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pod(tmp_path: Path) -> dict[str, str]:
    """Environment of a pod `zookeeper-server-1`; a Secret's files may not be written."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/hostname"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in -f) echo zookeeper-server-1.{DOMAIN} ;; -d) echo {DOMAIN} ;; '
        '"") echo zookeeper-server-1 ;; *) exit 9 ;; esac\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    (tmp_path / "etc").mkdir()
    (tmp_path / "data").mkdir()
    return {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "ETC": str(tmp_path / "etc"),
        "DATA": str(tmp_path / "data"),
        "NIFI_PROPERTIES": str(tmp_path / "data/nifi.properties"),
    }


def started(script: Path, pod: dict[str, str]) -> str:
    """What the command says that the script becomes; started twice, as a pod that comes back is."""
    for _ in range(2):
        done = subprocess.run(["sh", script, "echo", "a b", "c"], env=pod, capture_output=True, text=True, check=True)
        assert done.stderr == ""
    return done.stdout


def test_a_node_is_known_by_the_whole_name_of_its_pod(pod: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "etc/nifi.properties").write_text("a=@NODE@\nkey=secret\n", encoding="utf-8")
    (tmp_path / "etc/nifi.properties").chmod(0o440)
    assert started(NIFI / "etc-kubernetes/node.sh", pod) == "a b c\n"
    made = tmp_path / "data/nifi.properties"
    first, second, *interfaces = made.read_text(encoding="utf-8").splitlines()
    assert [first, second] == [f"a=zookeeper-server-1.{DOMAIN}", "key=secret"]
    assert "nifi.web.http.network.interface.lo=lo" in interfaces
    assert made.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("members", [1, 3])
def test_a_member_knows_its_number_and_the_others(pod: dict[str, str], tmp_path: Path, members: int) -> None:
    (tmp_path / "etc/zoo.cfg").write_text("clientPort=2181\n", encoding="utf-8")
    (tmp_path / "etc/zoo.cfg").chmod(0o440)
    assert started(ZOOKEEPER / "etc/member.sh", {**pod, "ZOOKEEPER_MEMBERS": str(members)}) == "a b c\n"
    lines = (tmp_path / "data/zoo.cfg").read_text(encoding="utf-8").splitlines()
    others = [f"server.{number}=zookeeper-server-{number - 1}.{DOMAIN}:2888:3888" for number in (1, 2, 3)]
    assert lines == ["clientPort=2181", *(others if members > 1 else [])]
    number = tmp_path / "data/data/myid"
    assert number.read_text(encoding="utf-8") == "2\n" if members > 1 else not number.exists()


def test_a_member_that_does_not_know_how_many_there_are_does_not_start(pod: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "etc/zoo.cfg").write_text("", encoding="utf-8")
    done = subprocess.run(["sh", ZOOKEEPER / "etc/member.sh", "echo"], env=pod, capture_output=True, check=False)
    assert done.returncode != 0
    assert b"ZOOKEEPER_MEMBERS" in done.stderr


# --- the flows ------------------------------------------------------------------------------------------------------


def on_every_node(flow: dict[str, Any]) -> set[str]:
    """Names of the processors that bring something in on each node of a cluster."""
    fed = {connection["destination"]["name"] for connection in flow["connections"]}
    sources = [p for p in flow["processors"] if p["name"] not in fed]
    assert sources
    return {p["name"] for p in sources if p["executionNode"] != "PRIMARY"}


def flows() -> list[Path]:
    return sorted((ROOT / "nifi_flows").glob("*/flow.json"))


def test_what_begins_a_flow_runs_on_one_node_at_a_time() -> None:
    """The nodes share the landing folder, and the address to fetch from is to be asked once."""
    assert flows()
    for path in flows():
        assert on_every_node(json.loads(path.read_text(encoding="utf-8"))["flowContents"]) == set()


def test_a_flow_that_begins_on_every_node_is_noticed() -> None:
    flow = json.loads(flows()[0].read_text(encoding="utf-8"))["flowContents"]
    for processor in flow["processors"]:
        processor["executionNode"] = "ALL"
    assert "Take landed files" in on_every_node(flow)
