"""A secret gets another value in steps that may be interrupted anywhere and repeated."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from data_platform import rotation
from data_platform.checks.base import Address
from data_platform.clients import postgres
from data_platform.rotation import Secret
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import holders
from data_platform.stack.load import load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.local.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]


class Place:
    """Credentials of a state folder, and a server that remembers passwords."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.state = State(folder)
        self.passwords: dict[str, str] = {}

    def credentials(self, holder: str) -> Mapping[str, str]:
        return self.state.credentials(self.stack).get(self.stack.capabilities.get(holder, holder), {})

    def stage(self, holder: str, key: str) -> str:
        return self.state.stage(holder, key)

    def promote(self, holder: str, key: str) -> None:
        self.state.promote(holder, key)

    def address(self, component: str, endpoint: str) -> Address:
        return Address(f"{self.stack.resolve(component)}.{endpoint}", 5432, "")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    found = Place(load_stack(ROOT), tmp_path)
    found.state.ensure_credentials(found.stack)
    found.passwords = {"postgres": found.credentials("postgresql")["password"]}

    def connect(_: str, __: int, user: str, password: str, ___: str) -> Any:
        if found.passwords[user] != password:
            raise psycopg.OperationalError("password authentication failed")
        return nullcontext()

    def change(_: Any, role: str, password: str) -> None:
        found.passwords[role] = password

    monkeypatch.setattr(postgres, "connect", connect)
    monkeypatch.setattr(postgres, "change_password", change)
    return found


def test_a_plain_secret_has_another_value_and_only_it(place: Any) -> None:
    before = {name: dict(place.credentials(name)) for name in holders(place.stack)}
    rotation.carry_out(place, [Secret("nessie", "database_password")])
    after = {name: dict(place.credentials(name)) for name in holders(place.stack)}
    changed = {(n, k) for n, entry in after.items() for k in entry if entry[k] != before[n].get(k)}
    assert changed == {("nessie", "database_password")}
    assert rotation.staged(place) == []


def test_the_superuser_is_given_his_password_before_it_counts(place: Any) -> None:
    old = place.credentials("postgresql")["password"]
    rotation.carry_out(place, [Secret("postgresql", "password")])
    new = place.credentials("postgresql")["password"]
    assert new != old
    assert place.passwords["postgres"] == new


def test_interrupted_after_the_server_knows_it_goes_on_with_the_same_value(place: Any) -> None:
    value = place.stage("postgresql", "password")
    place.passwords["postgres"] = value
    assert rotation.staged(place) == [Secret("postgresql", "password")]
    rotation.carry_out(place, rotation.staged(place))
    assert place.credentials("postgresql")["password"] == place.passwords["postgres"] == value


def test_a_server_that_lets_neither_in_is_said_and_the_old_value_stays(place: Any) -> None:
    old = place.credentials("postgresql")["password"]
    place.passwords["postgres"] = "somebody else's"
    with pytest.raises(PlatformError, match="role postgres cannot be changed"):
        rotation.carry_out(place, [Secret("postgresql", "password")])
    assert place.credentials("postgresql")["password"] == old
    assert rotation.staged(place) == [Secret("postgresql", "password")]


def test_airflows_rows_are_read_with_the_old_key_and_written_with_the_new(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[dict[str, str]] = []
    monkeypatch.setattr(rotation, "run", lambda *_, environment, **__: ran.append(environment))
    old = place.credentials("airflow")["fernet_seed"]
    rotation.carry_out(place, [Secret("airflow", "fernet_seed")])
    new = place.credentials("airflow")["fernet_seed"]
    (environment,) = ran
    assert environment["AIRFLOW__CORE__FERNET_KEY"] == f"{new[:43]}=,{old[:43]}="
    assert new != old


def test_what_cannot_be_rotated_says_why_and_is_left_out_of_all(place: Any) -> None:
    with pytest.raises(PlatformError, match=r"nifi.sensitive_props_key cannot be given another value: NiFi's own tool"):
        rotation.secrets_of(place, "nifi", "sensitive_props_key")
    assert "sensitive_props_key" not in {secret.key for secret in rotation.secrets_of(place, "nifi")}
    with pytest.raises(PlatformError, match="nessie has no secret 'word'") as caught:
        rotation.secrets_of(place, "nessie", "word")
    assert "database_password" in caught.value.remedy
    with pytest.raises(PlatformError, match="nobody named 'x'"):
        rotation.secrets_of(place, "x")


@pytest.mark.parametrize(
    ("secret", "components"),
    [
        (Secret("nessie", "database_password"), ["postgresql", "nessie"]),
        (Secret("checks", "database_password"), ["postgresql", "airflow"]),
        (Secret("spark", "s3_secret_key"), ["minio", "airflow", "spark"]),
        (Secret("spark", "datahub_token"), ["datahub", "airflow", "spark"]),
        (Secret("pipelines", "s3_secret_key"), ["minio", "airflow"]),
        (Secret("airflow", "api_secret_key"), ["airflow"]),
        (Secret("minio", "secret_key"), ["minio"]),
    ],
)
def test_who_makes_it_and_who_holds_it_are_affected_and_nobody_else(
    place: Any, secret: Secret, components: list[str]
) -> None:
    found = rotation.affected(place, [secret])
    assert sorted(found) == sorted(components)
    order = list(place.stack.components)
    assert found == sorted(found, key=order.index)


def test_a_platform_of_release_0_1_gets_other_values_for_all_that_was_shared(tmp_path: Path) -> None:
    place: Any = Place(load_stack(ROOT), tmp_path)
    place.state.ensure_credentials(place.stack)
    known = place.state.credentials(place.stack)
    place.state._write_credentials({n: e for n, e in known.items() if n not in place.stack.file.identities})
    staged = rotation.stage_shared(place)
    assert {Secret("postgresql", "password"), Secret("minio", "secret_key"), Secret("airflow", "fernet_seed")} <= set(
        staged
    )
    assert rotation.staged(place) == staged
    # Interrupted here, the next `up` finds the same; once there are identities, nothing any more.
    assert rotation.stage_shared(place) == staged
    place.state.ensure_credentials(place.stack)
    assert rotation.stage_shared(place) == []
    assert rotation.staged(place) == staged


def test_a_new_platform_has_nothing_to_replace(tmp_path: Path) -> None:
    place: Any = Place(load_stack(ROOT), tmp_path)
    assert rotation.stage_shared(place) == []
    place.state.ensure_credentials(place.stack)
    assert rotation.stage_shared(place) == []
