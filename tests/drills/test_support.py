"""Who helps from afar has something to look at while a server hangs, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_platform.checks.base import Deadline
from tests.holding import paused
from tests.running import Running
from tests.written_secrets import content_of

pytestmark = [pytest.mark.timeout(1800), pytest.mark.deep]

#: Seconds until what has waited for the database must serve again.
HEALED_SECONDS = 600


class NotYetError(Exception):
    """It has not come back yet."""


def test_when_the_database_hangs_then_the_archive_names_what_it_lacks_and_holds_the_rest(
    platform: Running, tmp_path: Path
) -> None:
    with paused(platform.programs()["postgresql.server"]):
        platform.bootstrap("support", "--output", str(tmp_path / "help.tar.gz"))
    files = content_of(tmp_path / "help.tar.gz")
    parts = json.loads(files["manifest.json"])["parts"]
    assert {"checks", "leases"} <= {part["part"] for part in parts if "lacks" in part}
    assert {"status.json", "versions/machine.json", "doctor.txt", "disks/free.json"} <= files.keys()
    assert any(name.startswith("logs/postgresql.") for name in files)

    def back() -> None:
        if platform.bootstrap("check", "postgresql", "airflow", check=False).returncode != 0:
            raise NotYetError

    Deadline(HEALED_SECONDS).retry(back, on=NotYetError)
