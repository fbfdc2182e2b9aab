"""What a server makes for others: its plan names every way in which it differs from what was claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3
from data_platform.targets.provide import provide
from minio.error import MinioAdminException

from data_platform.clients import postgres
from data_platform.clients.s3_admin import PREFIX, policy_of
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Step, plan
from data_platform.targets import grants, provision
from data_platform.targets.local import ports
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget
from tests.unit.clients.fake_object_store import FakeAdmin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tiny

USERS = ("reader", "pipelines", "checks")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    """A store that has nobody, in the place of the clients."""
    made = FakeAdmin()
    monkeypatch.setattr("data_platform.clients.s3_admin.client", made.connect)
    monkeypatch.setattr("data_platform.clients.s3.client", made.open)
    return made


@pytest.fixture
def place(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)
    made = LocalTarget(load_stack(tiny.root), State(tmp_path / "state"))
    made.ensure_credentials()
    return made


def steps(place: LocalTarget, component: str = "minio") -> list[Step]:
    return plan(grants.wanted(place, component), grants.observe(place, component))


def said(place: LocalTarget, component: str = "minio") -> list[str]:
    return [str(step) for step in steps(place, component)]


def carry_out(place: LocalTarget, component: str = "minio") -> None:
    for step in steps(place, component):
        provide(place, component, step)


def test_each_holder_gets_a_user_with_the_policy_of_its_claim_and_a_key_of_its_own(
    place: LocalTarget, store: FakeAdmin
) -> None:
    assert said(place) == [f"make grant s3_user {name}: it is not there" for name in USERS]
    carry_out(place)
    assert said(place) == []
    assert store.keys == {name: place.credentials(name)["s3_secret_key"] for name in USERS}
    assert len(set(store.keys.values())) == len(USERS)
    assert store.policies == {
        f"{PREFIX}reader": policy_of({"raw": "read", "results": "write"}),
        f"{PREFIX}pipelines": policy_of({"raw": "add"}),
        f"{PREFIX}checks": policy_of({"raw": "write", "results": "read"}),
    }


def test_the_root_key_is_for_making_users_alone(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    root = place.credentials("minio")
    assert store.root == (root["access_key"], root["secret_key"])
    assert root["secret_key"] not in store.keys.values()


def test_a_policy_that_somebody_changed_is_changed_back(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.policies[f"{PREFIX}reader"] = policy_of({"raw": "write", "results": "write"})
    assert said(place) == ["change grant s3_user reader: its definition changed"]
    carry_out(place)
    assert store.policies[f"{PREFIX}reader"] == policy_of({"raw": "read", "results": "write"})
    assert said(place) == []


def test_a_policy_that_is_gone_and_another_one_that_was_attached_are_seen(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    del store.policies[f"{PREFIX}reader"]
    store.users["checks"]["policyName"] = f"{PREFIX}pipelines"
    assert [(step.verb, step.name) for step in steps(place)] == [
        ("change", "s3_user reader"),
        ("change", "s3_user checks"),
    ]
    carry_out(place)
    assert said(place) == []


def test_a_claim_that_says_more_than_before_changes_the_user(tiny: Tiny, place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    tiny.edit(tiny.component("reader"), lambda c: c["claims"][0]["buckets"].update(raw="add"))
    changed = LocalTarget(load_stack(tiny.root), place.state)
    assert said(changed) == ["change grant s3_user reader: its definition changed"]
    carry_out(changed)
    assert store.policies[f"{PREFIX}reader"] == policy_of({"raw": "add", "results": "write"})


def test_a_key_that_is_not_the_holders_own_is_set_again(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.keys["reader"] = "somebody else's"
    assert said(place) == ["change grant s3_user reader: its key is refused (SignatureDoesNotMatch)"]
    carry_out(place)
    assert store.keys["reader"] == place.credentials("reader")["s3_secret_key"]


def test_a_key_that_was_given_another_value_reaches_the_store(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    following = place.stage("reader", "s3_secret_key")
    assert said(place) == []
    place.promote("reader", "s3_secret_key")
    assert said(place) == ["change grant s3_user reader: its key is refused (SignatureDoesNotMatch)"]
    carry_out(place)
    assert store.keys["reader"] == following
    assert said(place) == []


def test_a_disabled_user_is_enabled_again(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.users["reader"]["status"] = "disabled"
    assert said(place) == ["change grant s3_user reader: it is disabled"]
    carry_out(place)
    assert said(place) == []


def test_a_user_that_nobody_claims_any_more_is_revoked_and_those_of_others_stay(
    tiny: Tiny, place: LocalTarget, store: FakeAdmin
) -> None:
    carry_out(place)
    store.users["guest"] = {"status": "enabled", "policyName": "readonly"}
    tiny.edit(tiny.component("reader"), lambda c: c.pop("claims"))
    changed = LocalTarget(load_stack(tiny.root), place.state)
    assert said(changed) == ["revoke grant s3_user reader: the component does not declare it"]
    carry_out(changed)
    assert set(store.users) == {"pipelines", "checks", "guest"}
    assert f"{PREFIX}reader" not in store.policies
    assert said(changed) == []


@pytest.mark.parametrize(
    "away",
    [
        ConnectionRefusedError(),
        urllib3.exceptions.MaxRetryError(None, "/"),  # type: ignore[arg-type]
        MinioAdminException("503", "XMinioServerNotInitialized"),
    ],
    ids=["refused", "no connection", "not ready"],
)
def test_what_a_server_that_does_not_answer_has_made_is_not_said_to_be_gone(
    place: LocalTarget, store: FakeAdmin, away: Exception
) -> None:
    carry_out(place)
    store.down = away
    assert said(place) == [f"make grant s3_user {name}: the object store does not answer" for name in USERS]
    assert [step.verb for step in steps(place)] == ["make"] * len(USERS)
    store.down = None
    assert said(place) == []


def test_a_store_whose_configuration_lists_its_users_has_no_grants(
    tiny: Tiny, place: LocalTarget, store: FakeAdmin
) -> None:
    weeds = LocalTarget(load_stack(tiny.root, "weeds"), place.state)
    assert grants.wanted(weeds, "weeds") == []
    assert grants.observe(weeds, "weeds") == []
    assert store.root is None


def test_nothing_secret_is_in_what_a_plan_shows(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.keys["reader"] = "another"
    shown = repr([grants.wanted(place, "minio"), grants.observe(place, "minio"), steps(place)])
    assert "reader" in shown
    secrets = [place.credentials(name)["s3_secret_key"] for name in USERS]
    assert [secret for secret in (*secrets, place.credentials("minio")["secret_key"]) if secret in shown] == []


# --- databases of identities ----------------------------------------------------------------------------------------


class Server:
    """A PostgreSQL that has these databases; what is made is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.up, self.there = True, dict[str, postgres.Contents]()
        monkeypatch.setattr(postgres, "answers", lambda *_: self.up)
        monkeypatch.setattr(postgres, "look_into", lambda *login: self.there.get(login[-1]))
        monkeypatch.setattr(provision, "create_database", self.create)
        self.made: list[tuple[str, str]] = []

    def create(self, _place: LocalTarget, owner: str, name: str) -> None:
        self.made.append((owner, name))
        self.there[name] = postgres.Contents(frozenset(), frozenset())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def test_the_database_of_an_identity_is_made_by_its_server_and_owned_by_the_identity(
    place: LocalTarget, server: Server
) -> None:
    assert said(place, "postgresql") == ["make grant database checks: it is not there"]
    carry_out(place, "postgresql")
    assert server.made == [("checks", "checks")]
    assert said(place, "postgresql") == []


def test_databases_of_components_are_made_by_themselves(place: LocalTarget) -> None:
    assert [resource.name for resource in grants.wanted(place, "postgresql")] == ["database checks"]
    assert [resource.name for resource in provision.wanted(place, "reader")] == ["reader"]
    assert grants.wanted(place, "reader") == []


def test_a_database_of_an_identity_that_lacks_something_is_changed(
    tiny: Tiny, place: LocalTarget, server: Server
) -> None:
    entry = {"name": "checks", "schemas": ["scratch"]}
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"].update(databases=[entry]))
    furnished = LocalTarget(load_stack(tiny.root), place.state)
    server.there["checks"] = postgres.Contents(frozenset(), frozenset())
    assert said(furnished, "postgresql") == ["change grant database checks: it lacks schema scratch"]


def test_a_database_server_that_is_away_is_the_reason(place: LocalTarget, server: Server) -> None:
    server.up = False
    assert said(place, "postgresql") == ["make grant database checks: PostgreSQL does not answer"]


def test_a_database_that_nobody_claims_any_more_stays(tiny: Tiny, place: LocalTarget, server: Server) -> None:
    carry_out(place, "postgresql")
    tiny.edit(tiny.stack_file, lambda c: c["identities"].pop("checks"))
    assert said(LocalTarget(load_stack(tiny.root), place.state), "postgresql") == []
    assert set(server.there) == {"checks"}
