"""What a person has set for something else changes nothing of what a command does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap import surroundings

ROOT = Path("/checkout")
REAL = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "name",
    [
        *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONWARNINGS", "PYTHONOPTIMIZE"),
        *("PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONUTF8", "PGHOST", "PGDATA", "PGSSLMODE", "PGOPTIONS"),
        *(
            "AIRFLOW_HOME",
            "AIRFLOW__CORE__EXECUTOR",
            "SPARK_HOME",
            "PYSPARK_PYTHON",
            "HADOOP_CONF_DIR",
            "DBT_PROFILES_DIR",
        ),
        *("OPENLINEAGE_URL", "DATAHUB_GMS_TOKEN"),
    ],
)
def test_a_setting_for_something_else_is_left_out(name: str) -> None:
    assert surroundings.told({name: "0", "HOME": "/h"}, ROOT) == {"HOME": "/h"}


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LANG",
        "PIP_INDEX_URL",
        "KUBECONFIG",
        "AWS_PROFILE",
        "JAVA_HOME",
        "MAVEN_OPTS",
        "PYTHONUNBUFFERED",
        "PAGER",
    ],
)
def test_every_other_setting_stays(name: str) -> None:
    assert surroundings.told({name: "0", "HOME": "/h"}, ROOT) == {name: "0", "HOME": "/h"}


def test_our_own_settings_stay_so_that_nothing_starts_anew_for_ever() -> None:
    ours = surroundings.of_platform(ROOT, Path("/cache")) | {"HOME": "/h"}
    assert ours["PYTHONPATH"] == "/checkout:/checkout/plugins"
    assert ours["DATA_PLATFORM_CACHE"] == "/cache"
    assert surroundings.told(ours, ROOT) == ours
    assert "PYTHONPATH" not in surroundings.told(ours, Path("/another"))


def test_without_a_home_it_is_that_of_the_users_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings.told({"HOME": ""}, ROOT)["HOME"].startswith("/")
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert surroundings.told({"HOME": ""}, ROOT) == {}


def run(shell: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A real command; `--help` makes nothing."""
    return subprocess.run(
        ["bash", "-c", shell],
        cwd=REAL,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


_LOOK = """
import os, resource, sys
sys.path.insert(0, "bootstrap/..")
from pathlib import Path
from bootstrap import surroundings
surroundings.begin(Path.cwd())
mask = os.umask(0)
print(*resource.getrlimit(resource.RLIMIT_NOFILE), oct(mask), sorted(n for n in os.environ if n.startswith("PY")))
"""


def test_a_command_starts_anew_without_settings_of_another_python(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('of another program')")
    shown = run("python3 -m bootstrap --help", PYTHONPATH=str(tmp_path), PYTHONWARNINGS="error", PYTHONINSPECT="")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("usage: ")


def test_limits_are_raised_to_what_is_allowed_and_what_is_made_can_be_read(tmp_path: Path) -> None:
    script = tmp_path / "look.py"
    script.write_text(_LOOK)
    shown = run(f"ulimit -Sn 256; ulimit -Hn 2048; umask 0777; python3 {script}", PYTHONHASHSEED="1")
    assert shown.stdout.split(maxsplit=3) == ["2048", "2048", "0o77", "[]\n"], shown.stderr


def test_without_a_place_for_the_cache_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "has_place", lambda: False)
    monkeypatch.setattr(surroundings, "told", lambda environment, _: dict(environment))
    with pytest.raises(SystemExit) as caught:
        surroundings.begin(ROOT)
    assert caught.value.code == 2
