"""A job of Spark as a SparkApplication: what it says, and what becomes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml

from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import holders
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.spark_application import (
    FILES,
    KIND,
    Submitted,
    application,
    application_name,
    main,
    parse,
    run,
)
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

PROCESSING = "data-platform-processing"
JOB = Submitted("spark_jobs/fx_rates/load.py", ("--files", "a b"), {"spark.sql.catalog.lakehouse.ref": "audit"})

Object = dict[str, Any]


@pytest.fixture(scope="module")
def target(stack: Stack) -> KubernetesTarget:
    """The platform in the size whose jobs the operator runs."""
    images = {name: f"registry.example/{name}:1" for name in stack.components}
    settings = Settings(images=images, size="production")
    made = KubernetesTarget(stack, settings, FakeCluster(), Helm("helm"), inside=True)  # type: ignore[arg-type]
    made.ensure_credentials()
    return made


@pytest.fixture(scope="module")
def files(target: KubernetesTarget) -> dict[str, bytes]:
    """What the component's ETC says of pods."""
    etc = target.etc("spark")
    return {name: etc[name] for name in FILES}


@pytest.fixture
def wanted(files: dict[str, bytes]) -> Object:
    return application("fx-rates-load-1", "3.5.9", JOB, files)


def test_a_command_line_is_read_as_spark_submit_would() -> None:
    words = ["--conf", "a=b=c", "-c", "d=e", "spark_jobs/x/y.py", "--conf", "of the job", "z"]
    assert parse(words) == Submitted("spark_jobs/x/y.py", ("--conf", "of the job", "z"), {"a": "b=c", "d": "e"})


def test_an_option_that_the_operator_would_not_see_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--packages", "a:b:1", "spark_jobs/x/y.py"])
    assert "--packages" in capsys.readouterr().err


def test_each_run_has_a_name_of_its_own_that_a_service_may_have() -> None:
    first, second = (application_name("spark_jobs/fx_rates/load.py") for _ in range(2))
    assert first != second
    assert first.startswith("fx-rates-load-")
    # Spark makes a Service of it: <name>-<17 characters>-driver-svc, of at most 63.
    assert len(application_name(f"spark_jobs/{'long' * 20}/job.py")) <= 63 - 29


def test_the_job_its_arguments_and_its_size_are_said(wanted: Object) -> None:
    spec = wanted["spec"]
    assert (spec["type"], spec["mode"], spec["pythonVersion"]) == ("Python", "cluster", "3")
    assert spec["mainApplicationFile"] == f"local://{places.ROOT}/spark_jobs/fx_rates/load.py"
    assert spec["arguments"] == ["--files", "a b"]
    assert spec["sparkConf"] == {"spark.sql.catalog.lakehouse.ref": "audit"}
    assert spec["image"] == "registry.example/spark:1"
    assert spec["executor"]["instances"] == 4
    for part in (spec["driver"], spec["executor"]):
        assert (part["memory"], part["memoryOverhead"], part["coreRequest"]) == ("816m", "384m", "1000m")


@pytest.fixture(scope="module")
def schema(root: Path) -> Object:
    """What the operator's CRD says of `spec`; as by server-side apply, unknown fields are refused."""
    text = (root / "tests" / "cluster" / "spark_application_crd.yaml").read_text(encoding="utf-8")
    (version,) = yaml.safe_load(text)["spec"]["versions"]
    return cast("Object", closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"]))


def closed(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    found = {key: closed(value) for key, value in part.items()}
    return found | ({"additionalProperties": False} if "properties" in part else {})


def test_it_fits_the_schema_of_the_operator_and_what_does_not_is_seen(wanted: Object, schema: Object) -> None:
    jsonschema.validate(wanted["spec"], schema)
    for part, key, value in (("executor", "instance", 2), ("executor", "cores", "1"), ("driver", "memory", 816)):
        wrong = copy.deepcopy(wanted["spec"])
        wrong[part][key] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_label_of_the_application_does_not_say_which_pod_it_is(wanted: Object) -> None:
    labels = wanted["metadata"]["labels"]
    assert labels[places.NAME] == "spark"
    assert places.COMPONENT not in labels
    assert wanted["spec"]["executor"]["template"]["metadata"]["labels"] == {**labels, places.COMPONENT: "executor"}


def test_no_secret_is_in_it_and_its_pods_name_the_secret_that_has_them(
    target: KubernetesTarget, wanted: Object
) -> None:
    secrets = [target.credentials(name)[key] for name, each in holders(target.stack).items() for key in each.generated]
    assert len(secrets) > 20
    text = yaml.safe_dump(wanted)
    assert [secret for secret in secrets if secret in text] == []
    made = target._secrets(target._item("spark"))
    for part in ("driver", "executor"):
        (container,) = wanted["spec"][part]["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": made[f"spark-{part}"].stored}}]
        assert (
            made[f"spark-{part}"].data["AWS_SECRET_ACCESS_KEY"].decode()
            == (target.credentials("spark")["s3_secret_key"])
        )


class Operator(FakeCluster):
    """A cluster whose operator ends each application at once."""

    def __init__(self, state: str, exit_code: int = 0, *, installed: bool = True) -> None:
        super().__init__()
        self.installed = installed
        self.state = state
        terminated = {"state": {"terminated": {"exitCode": exit_code}}}
        self.pod = {
            "kind": "Pod",
            "metadata": {"name": "driver", "namespace": PROCESSING},
            "status": {"containerStatuses": [terminated]},
        }

    def knows(self, *_: str) -> bool:
        return self.installed

    def logs(self, pod: str, namespace: str) -> str:
        assert (pod, namespace) == ("driver", PROCESSING)
        return "RESULT {}\n"

    def wait_until(
        self, api: str, kind: str, name: str, namespace: str, *, done: Callable[[Object | None], bool], seconds: float
    ) -> Object | None:
        assert seconds > 3600
        found = self.get(api, kind, name, namespace)
        assert found is not None
        for state in ("", "SUBMITTED", "RUNNING", "SUCCEEDING", "FAILING"):
            assert not done(found | {"status": {"applicationState": {"state": state}}})
        assert not done(found)
        if not self.state:
            assert done(None)
            return None
        self.server_side_apply(self.pod)
        status = {"applicationState": {"state": self.state, "errorMessage": "no luck"}}
        ended = copy.deepcopy(found) | {"status": status | {"driverInfo": {"podName": "driver"}}}
        assert done(ended)
        return ended


@pytest.mark.parametrize(("state", "exit_code", "result"), [("COMPLETED", 0, 0), ("FAILED", 3, 3), ("FAILED", 0, 1)])
def test_it_ends_as_the_driver_did_and_shows_what_that_said(
    wanted: Object, capsys: pytest.CaptureFixture[str], state: str, exit_code: int, result: int
) -> None:
    cluster = Operator(state, exit_code)
    assert run(cluster, wanted) == result  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert shown.out == "RESULT {}\n"
    assert ("no luck" in shown.err) == (state == "FAILED")
    assert cluster.get("", KIND, "fx-rates-load-1", PROCESSING) is None


def test_one_that_somebody_removed_is_an_error(wanted: Object) -> None:
    with pytest.raises(PlatformError, match="was removed while it ran"):
        run(Operator(""), wanted)  # type: ignore[arg-type]


def test_without_the_operator_the_missing_crd_and_the_remedy_are_named(wanted: Object) -> None:
    cluster = Operator("COMPLETED", installed=False)
    with pytest.raises(PlatformError, match=r"sparkapplications\.sparkoperator\.k8s\.io") as caught:
        run(cluster, wanted)  # type: ignore[arg-type]
    assert "execution.runner to scheduler" in caught.value.remedy
    assert cluster.objects == {}


def test_the_tool_reads_its_files_and_says_why_it_cannot_run(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("ETC", str(tmp_path))
    monkeypatch.setenv("SPARK_VERSION", "3.5.9")
    where = "data_platform.targets.kubernetes.spark_application"
    monkeypatch.setattr(f"{where}.signal.signal", lambda *_: None)
    monkeypatch.setattr(f"{where}.connect", lambda: Operator("COMPLETED"))
    assert main(["spark_jobs/fx_rates/load.py"]) == 0
    monkeypatch.setattr(f"{where}.connect", lambda: Operator("COMPLETED", installed=False))
    assert main(["spark_jobs/fx_rates/load.py"]) == 2
    assert "is missing" in capsys.readouterr().err
