"""Spark's settings: two catalogs that differ in their branch alone, and where secrets are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from data_platform.stack.definition import Tool
from data_platform.stack.load import load_stack
from data_platform.targets.render import rendered_files

VALUES = {
    "S3_HTTP_URL": "http://127.0.0.1:9000",
    "S3_ACCESS_KEY": "the-key",
    "S3_SECRET_KEY": "the-secret",
    "NESSIE_HTTP_URL": "http://127.0.0.1:8420",
    "DATAHUB_HTTP_URL": "http://127.0.0.1:8980",
    "DATAHUB_TOKEN": "the-token",
    "DATA": "/data",
}


@pytest.fixture(scope="module")
def settings(root: Path) -> dict[str, str]:
    """What spark-defaults.conf says."""
    files = rendered_files(load_stack(root).components["spark"].folder / "etc", VALUES)
    (text,) = (content.decode() for path, content in files.items() if str(path).endswith("spark-defaults.conf"))
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert len({key for key, _ in lines}) == len(lines), "a setting is there twice"
    return {key: value.strip() for key, value in lines}


@pytest.fixture(scope="module")
def tool(root: Path) -> Tool:
    """The tool that runs a job."""
    return load_stack(root).components["spark"].definition.tools["submit"]


def test_both_catalogs_are_the_same_until_a_run_moves_one_to_a_branch(settings: dict[str, str]) -> None:
    prefix = "spark.sql.catalog."
    catalogs: dict[str, dict[str, str]] = {"lakehouse": {}, "published": {}}
    for key, value in settings.items():
        if key.startswith(prefix):
            name, _, setting = key.removeprefix(prefix).partition(".")
            catalogs[name][setting] = value
    assert catalogs["lakehouse"]["ref"] == "main"
    assert catalogs["lakehouse"] == catalogs["published"]


@pytest.mark.parametrize("catalog", ["lakehouse", "published"])
def test_a_store_that_says_nothing_is_an_error_within_a_minute_and_a_half(
    settings: dict[str, str], catalog: str
) -> None:
    prefix = f"spark.sql.catalog.{catalog}."
    waits = [int(settings[f"{prefix}http-client.apache.{what}-timeout-ms"]) for what in ("connection", "socket")]
    retries = int(settings[f"{prefix}s3.retry.num-retries"])
    assert 0 < max(waits) * (1 + retries) <= 90_000
    # Pauses of 0.1, 0.2, 0.4 … seconds: a store that is being restarted is back within ten.
    assert 0.1 * (2**retries - 1) >= 10


def test_keys_of_the_object_store_are_in_the_environment_only(settings: dict[str, str], tool: Tool) -> None:
    assert {"the-key", "the-secret"}.isdisjoint(" ".join(settings.values()).split())
    assert tool.environment["AWS_ACCESS_KEY_ID"] == "{{ S3_ACCESS_KEY }}"
    assert settings["spark.hadoop.fs.s3a.aws.credentials.provider"].endswith(".EnvironmentVariableCredentialsProvider")


def test_the_catalogs_token_is_in_a_private_file_only_and_never_printed(settings: dict[str, str], tool: Tool) -> None:
    (key,) = (key for key, value in settings.items() if value == "the-token")
    assert re.search(settings["spark.redaction.regex"], key)
    words = [*tool.command, *tool.environment.values()]
    assert words
    assert not [word for word in words if "TOKEN" in word]
    assert not [word for word in tool.command if "KEY" in word]


def test_no_listener_reports_what_no_job_asked_to_be_reported(settings: dict[str, str]) -> None:
    assert settings["spark.openlineage.transport.type"] == "http"
    assert "spark.extraListeners" not in settings


KUBERNETES_VALUES = {
    "NAMESPACE": "data-platform-processing",
    "IMAGE": "registry.example/spark:1",
    "EXECUTORS": "3",
    "EXECUTOR_CPU": "100m",
    "MEMORY_MIB": "1200",
}


@pytest.fixture
def place(root: Path, tmp_path: Path) -> dict[str, str]:
    """An environment as start.sh is given it, with a Java that says how it was called."""
    for folder in ("java/bin", "home/spark/jars", "jars", "etc", "data", "conf"):
        (tmp_path / folder).mkdir(parents=True)
    for jar in ("home/spark/jars/b.jar", "home/spark/jars/A.jar", "jars/c.jar"):
        (tmp_path / jar).touch()
    java = tmp_path / "java" / "bin" / "java"
    java.write_text('#!/bin/sh\nprintf "%s\\n" "CLASSPATH=$CLASSPATH" "LOCAL=${SPARK_LOCAL_IP-}" "$@"\n')
    java.chmod(0o700)
    folder = load_stack(root).components["spark"].folder
    for part in ("etc", "etc-kubernetes"):
        for name, content in rendered_files(folder / part, VALUES | KUBERNETES_VALUES).items():
            (tmp_path / "etc" / name).write_bytes(content)
    return {
        "PATH": "/usr/bin:/bin",
        "ROOT": str(root),
        "ETC": str(tmp_path / "etc"),
        "DATA": str(tmp_path / "data"),
        "TMPDIR": str(tmp_path / "tmp"),
        "ARTIFACT_JAVA21": str(tmp_path / "java"),
        "ARTIFACT_HOME": str(tmp_path / "home"),
        "ARTIFACT_JARS": str(tmp_path / "jars"),
        "ARTIFACT_ARCHIVE": str(tmp_path / "archive"),
        "NODE_ADDRESS": "10.0.0.7",
    }


def start(place: dict[str, str], *words: str, code: int = 0) -> list[str]:
    """What start.sh calls: the lines of the Java above."""
    script = Path(place["ROOT"], "stack", "components", "processing", "spark", "start.sh")
    done = subprocess.run(
        ["/bin/sh", str(script), *words], env=place, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr
    return done.stdout.splitlines()


def effective(place: dict[str, str]) -> dict[str, str]:
    """Settings of the file that start.sh made; of a key that is there twice, the last counts."""
    path = Path(place["DATA"], "spark.properties")
    assert path.stat().st_mode & 0o077 == 0
    lines = [line.split(maxsplit=1) for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {key: value.strip() for key, value in lines}


def test_a_job_in_a_pod_has_spark_as_it_is_on_local(place: dict[str, str]) -> None:
    found = start(place, "pod", "--conf", "a=b", "spark_jobs/x.py", "an argument")
    home, jars, etc = place["ARTIFACT_HOME"], place["ARTIFACT_JARS"], place["ETC"]
    assert found == [
        f"CLASSPATH={home}/spark/jars/A.jar:{home}/spark/jars/b.jar:{jars}/c.jar",
        "LOCAL=127.0.0.1",
        f"@{etc}/jvm.options",
        f"-XX:SharedArchiveFile={place['ARTIFACT_ARCHIVE']}/spark.jsa",
        f"-Dlog4j2.configurationFile={etc}/log4j2.properties",
        f"-Duser.home={place['DATA']}",
        f"-Djava.io.tmpdir={place['TMPDIR']}",
        "org.apache.spark.deploy.SparkSubmit",
        "--properties-file",
        f"{etc}/spark-defaults.conf",
        *("--conf", "a=b", "spark_jobs/x.py", "an argument"),
    ]


def test_sparks_scheduler_makes_executors_that_find_the_driver_by_its_pods_address(place: dict[str, str]) -> None:
    found = start(place, "scheduler", "spark_jobs/x.py")
    assert "spark.driver.host=10.0.0.7" in found
    assert f"spark.kubernetes.executor.podTemplateFile={place['ETC']}/pods/executor.yaml" in found
    assert "LOCAL=" in found
    settings = effective(place)
    assert settings["spark.master"] == "k8s://https://kubernetes.default.svc"
    assert settings["spark.driver.bindAddress"] == "0.0.0.0"
    assert settings["spark.executor.instances"] == settings["spark.sql.shuffle.partitions"] == "3"
    assert (settings["spark.executor.memory"], settings["spark.executor.memoryOverhead"]) == ("816m", "384m")
    # Kubernetes takes an owner in the same namespace only; the driver is in another one.
    assert "spark.kubernetes.driver.pod.name" not in settings
    # What both have is still there.
    assert settings["spark.sql.catalog.lakehouse.type"] == "nessie"


def test_the_operators_driver_has_its_settings_over_ours_and_the_token_from_the_secret(
    place: dict[str, str], tmp_path: Path
) -> None:
    told = tmp_path / "conf" / "spark.properties"
    told.write_text("#Java properties\nspark.master=k8s\\://https\\://10.0.0.1\nspark.driver.host=x-driver-svc.y.svc\n")
    words = [
        "--properties-file",
        str(told),
        "--class",
        "org.apache.spark.deploy.PythonRunner",
        "local:///x.py",
        "an arg",
    ]
    found = start(place | {"SPARK_DRIVER_BIND_ADDRESS": "10.0.0.8"}, "driver", *words)
    assert found[-4:] == [*words[2:]]
    assert found.count("--properties-file") == 1
    assert "spark.driver.bindAddress=10.0.0.8" in found
    text = Path(place["DATA"], "spark.properties").read_text()
    assert "the-token" in text
    assert text.endswith(told.read_text())


def test_an_executor_is_started_as_by_sparks_own_image(place: dict[str, str]) -> None:
    given = {
        "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.7:4040",
        "SPARK_EXECUTOR_ID": "2",
        "SPARK_EXECUTOR_CORES": "1",
        "SPARK_EXECUTOR_MEMORY": "816m",
        "SPARK_APPLICATION_ID": "spark-1",
        "SPARK_EXECUTOR_POD_IP": "10.0.0.9",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_EXECUTOR_POD_NAME": "x-exec-2",
    }
    options = {f"SPARK_JAVA_OPT_{n}": f"-Doption.{n}=with a space" for n in range(11)}
    found = start(place | given | options, "executor")
    backend = found.index("org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend")
    assert found[7:backend] == [*options.values(), "-Xmx816m"]
    pairs = dict(zip(found[backend + 1 :: 2], found[backend + 2 :: 2], strict=True))
    assert pairs == {
        "--driver-url": given["SPARK_DRIVER_URL"],
        "--executor-id": "2",
        "--cores": "1",
        "--app-id": "spark-1",
        "--hostname": "10.0.0.9",
        "--resourceProfileId": "0",
        "--podName": "x-exec-2",
    }


def test_a_runner_that_there_is_not_is_refused(place: dict[str, str]) -> None:
    assert start(place, "yarn", "spark_jobs/x.py", code=2) == []
