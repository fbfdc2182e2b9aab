"""A chart of the field's own takes the place of ours by one reference, and gets the same Secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from data_platform.stack.definition import ChartReference
from data_platform.stack.model import Loaded
from data_platform.targets.kubernetes.definition import chart_source
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.render.conftest import CANARY, COMPONENTS, ROOT, helm, target

TRINO = COMPONENTS / "processing" / "trino"
_POD = """
apiVersion: v1
kind: Pod
metadata: {name: trino}
spec:
  containers: [{name: trino, image: "trinodb/trino:{{ .Values.image.tag }}", envFrom: {{ toJson .Values.envFrom }}}]
"""


def referring(folder: Path, **more: Any) -> Loaded:
    """Trino with a chart in a folder in the place of ours."""
    item = target().stack.components["trino"]
    reference = ChartReference(repository=str(folder), name="trino", version="1.0.0", values="values.upstream.yaml.j2")
    assert item.kubernetes
    return item.model_copy(update={"kubernetes": item.kubernetes.model_copy(update={"chart": reference}), **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a chart that is not ours."""
    (tmp_path / "trino" / "templates").mkdir(parents=True)
    (tmp_path / "trino" / "Chart.yaml").write_text("{apiVersion: v2, name: trino, version: 1.0.0}\n")
    (tmp_path / "trino" / "templates" / "pod.yaml").write_text(_POD)
    return tmp_path


def test_it_is_rendered_with_its_own_values_and_our_secrets(folder: Path) -> None:
    release = target()._release(referring(folder))
    (pod,) = Helm(helm()).template(release)
    (container,) = pod["spec"]["containers"]
    ours = target()._secrets(target().stack.components["trino"])
    assert container["envFrom"] == [{"secretRef": {"name": ours["trino-server"].stored}}]
    assert release.values["secretMounts"][0]["secretName"] == ours["trino-etc"].stored
    assert container["image"] == f"trinodb/trino:{target().stack.components['trino'].component.version}"
    assert CANARY not in repr(release)


def test_a_changed_secret_and_a_changed_chart_make_another_release(folder: Path) -> None:
    def digest(*, password: str) -> str:
        known = {name: dict(values) for name, values in target()._known.items()}
        known["trino"]["database_password"] = password
        other = KubernetesTarget(target().stack, target().settings, target().cluster, Helm("helm"), inside=True)
        other._known = dict(known)
        return other._release(referring(folder)).digest

    assert digest(password="one") == digest(password="one")
    before = digest(password="one")
    assert digest(password="two") != before
    (folder / "trino" / "templates" / "pod.yaml").write_text("changed")
    assert digest(password="one") != before


@pytest.mark.parametrize(
    ("repository", "chart", "source"),
    [
        ("oci://registry.example.org/charts", "oci://registry.example.org/charts/trino", ("--version", "1.0.0")),
        ("https://example.org/charts", "trino", ("--repo", "https://example.org/charts", "--version", "1.0.0")),
        ("vendored", str(ROOT / "vendored" / "trino"), ()),
    ],
)
def test_helm_is_told_where_a_chart_is(repository: str, chart: str, source: tuple[str, ...]) -> None:
    reference = ChartReference(repository=repository, name="trino", version="1.0.0", values="values.yaml")
    assert chart_source(ROOT, reference) == (chart, source)


def test_the_room_that_datahubs_readme_makes_is_what_its_own_release_asks_for() -> None:
    folder = COMPONENTS / "governance" / "datahub"
    values = yaml.safe_load((folder / "values.datahub.yaml").read_text(encoding="utf-8"))
    block = (folder / "README.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    room = yaml.safe_load(block)["reserve"]
    keys = {
        "gms": "datahub-gms",
        "frontend": "datahub-frontend",
        "actions": "acryl-datahub-actions",
        "system-update": "datahubSystemUpdate",
    }
    assert {name: pod["resources"] for name, pod in room.items()} == {
        name: values[key]["resources"] for name, key in keys.items()
    }
    counts = {name: values[key].get("replicaCount", 1) for name, key in keys.items()}
    # One that others wait for, and one that goes on beside them.
    assert {name: pod["replicas"] for name, pod in room.items()} == {**counts, "system-update": 2}


def test_datahubs_values_name_secrets_and_versions() -> None:
    text = (COMPONENTS / "governance" / "datahub" / "values.datahub.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    passwords = [
        values["global"]["elasticsearch"]["auth"]["password"],
        values["global"]["sql"]["datasource"]["password"],
    ]
    assert all(password.keys() == {"secretRef", "secretKey"} for password in passwords)
    assert values["global"]["datahub"]["version"].startswith("v1.")
    assert "latest" not in text
