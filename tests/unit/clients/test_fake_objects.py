"""What the unit tests take for an API server refuses what a real one refuses."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.unit.clients.fake_objects import Object, Objects, Refused, fields

KEY = ("Deployment", "here", "web")
MODIFIED = 'deployments "web": the object has been modified'


def web(labels: dict[str, str] | None = None, **spec: Any) -> Object:
    meta = {"name": "web", "namespace": "here"} | ({"labels": labels} if labels else {})
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta} | ({"spec": spec} if spec else {})


@pytest.fixture
def objects() -> Objects:
    return Objects()


def spec(objects: Objects) -> Any:
    return objects.kept[KEY].get("spec")


# Conflicts


def test_what_is_there_is_not_made_again_and_stays_as_it_is(objects: Objects) -> None:
    made = objects.create(web(replicas=1), "us")
    with pytest.raises(Refused, match='deployments "web" already exists') as caught:
        objects.create(web(replicas=2), "us")
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")
    assert objects.get(KEY) == made


def test_what_is_not_there_is_not_found(objects: Objects) -> None:
    for act in (objects.get, objects.delete, lambda key: objects.merge(key, {"spec": {}}, "us")):
        with pytest.raises(Refused, match='deployments "web" not found') as caught:
            act(KEY)
        assert (caught.value.code, caught.value.reason) == (404, "NotFound")


def test_each_write_has_a_version_and_one_that_changes_nothing_has_none(objects: Objects) -> None:
    first = objects.create(web(replicas=1), "us")["metadata"]["resourceVersion"]
    assert objects.merge(KEY, {"spec": {"replicas": 1}}, "us")["metadata"]["resourceVersion"] == first
    assert objects.merge(KEY, {"spec": {"replicas": 2}}, "us")["metadata"]["resourceVersion"] != first


def test_a_change_of_an_old_version_is_a_conflict_and_changes_nothing(objects: Objects) -> None:
    seen = objects.create(web(replicas=1), "us")["metadata"]
    objects.merge(KEY, {"metadata": {"resourceVersion": seen["resourceVersion"]}, "spec": {"replicas": 2}}, "us")
    for act in (
        lambda: objects.merge(KEY, {"metadata": seen, "spec": {"replicas": 3}}, "us"),
        lambda: objects.apply(web(replicas=3) | {"metadata": seen}, "us", force=True),
    ):
        with pytest.raises(Refused, match=MODIFIED) as caught:
            act()
        assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert spec(objects) == {"replicas": 2}


def test_a_version_of_an_object_that_was_made_anew_is_an_old_one(objects: Objects) -> None:
    seen = objects.create(web(replicas=1), "us")["metadata"]
    objects.delete(KEY)
    objects.create(web(replicas=1), "us")
    with pytest.raises(Refused, match=MODIFIED):
        objects.merge(KEY, {"metadata": seen, "spec": {"replicas": 3}}, "us")


def test_what_is_null_in_a_change_goes(objects: Objects) -> None:
    objects.create(web(replicas=1, paused=True), "us")
    objects.merge(KEY, {"spec": {"paused": None}}, "us")
    assert spec(objects) == {"replicas": 1}


def test_a_namespace_goes_with_what_is_in_it(objects: Objects) -> None:
    objects.create(web(), "us")
    for name in ("here", "there"):
        objects.create({"kind": "Namespace", "metadata": {"name": name}}, "us")
    objects.delete(("Namespace", "", "here"))
    assert set(objects.kept) == {("Namespace", "", "there")}


# Owners of fields


def test_a_field_of_another_manager_is_a_conflict_that_names_both(objects: Objects) -> None:
    before = objects.apply(web(replicas=1, paused=True), "them", force=False)
    with pytest.raises(
        Refused, match=r'^Apply failed with 1 conflict: conflict with "them": \.spec\.replicas$'
    ) as caught:
        objects.apply(web(replicas=2), "us", force=False)
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    with pytest.raises(
        Refused, match=r'2 conflicts: .*"them": \.spec\.paused, conflict with "them": \.spec\.replicas$'
    ):
        objects.apply(web(replicas=2, paused=False), "us", force=False)
    assert objects.get(KEY) == before


def test_who_writes_otherwise_is_another_manager_even_under_our_own_name(objects: Objects) -> None:
    objects.create(web(replicas=1), "us")
    with pytest.raises(Refused, match='conflict with "us"'):
        objects.apply(web(replicas=2), "us", force=False)


def test_a_field_that_is_forced_is_ours_from_then_on(objects: Objects) -> None:
    objects.apply(web(replicas=1), "them", force=False)
    objects.apply(web(replicas=2), "us", force=True)
    assert spec(objects) == {"replicas": 2}
    with pytest.raises(Refused, match='conflict with "us"'):
        objects.apply(web(replicas=1), "them", force=False)
    assert objects.owners[KEY] == {("them", "Apply"): set(), ("us", "Apply"): {("spec", "replicas")}}
    # So what they say no more stays, and what we say no more goes.
    objects.apply(web(paused=True), "them", force=False)
    assert spec(objects) == {"replicas": 2, "paused": True}
    objects.apply(web(), "us", force=False)
    assert spec(objects) == {"paused": True}


def test_a_field_that_its_manager_leaves_out_goes(objects: Objects) -> None:
    objects.apply(web({"team": "x"}, replicas=1, paused=True), "us", force=False)
    objects.apply(web(replicas=1), "us", force=False)
    assert spec(objects) == {"replicas": 1}
    assert "labels" not in objects.kept[KEY]["metadata"]


def test_a_field_that_others_have_too_stays_until_the_last_one_leaves_it_out(objects: Objects) -> None:
    for manager in ("us", "them"):
        objects.apply(web({"team": "x"}, replicas=1), manager, force=False)
    objects.apply(web(), "us", force=False)
    assert spec(objects) == {"replicas": 1}
    objects.apply(web(), "them", force=False)
    assert spec(objects) is None


def test_fields_of_others_stay_as_they_are(objects: Objects) -> None:
    objects.apply(web(replicas=1), "them", force=False)
    objects.apply(web({"team": "x"}), "us", force=False)
    objects.apply(web({"team": "y"}), "us", force=False)
    assert spec(objects) == {"replicas": 1}
    assert objects.kept[KEY]["metadata"]["labels"] == {"team": "y"}


def test_who_changes_a_field_has_it_from_then_on(objects: Objects) -> None:
    objects.apply(web(replicas=1, paused=True), "us", force=False)
    objects.merge(KEY, {"spec": {"replicas": 5}}, "kubectl-edit")
    replicas, paused = ("spec", "replicas"), ("spec", "paused")
    assert objects.owners[KEY] == {("us", "Apply"): {paused}, ("kubectl-edit", "Update"): {replicas}}
    with pytest.raises(Refused, match=r'1 conflict: conflict with "kubectl-edit": \.spec\.replicas$'):
        objects.apply(web(replicas=1, paused=True), "us", force=False)
    # Leaving it out takes nothing from them.
    objects.apply(web(paused=True), "us", force=False)
    assert spec(objects) == {"replicas": 5, "paused": True}


def test_who_says_something_within_an_empty_field_keeps_it(objects: Objects) -> None:
    objects.apply(web(template={}), "us", force=False)
    objects.apply(web(template={"a": 1}), "us", force=False)
    assert spec(objects) == {"template": {"a": 1}}


def test_a_dry_run_is_refused_as_the_other_and_keeps_nothing(objects: Objects) -> None:
    before = objects.apply(web(replicas=1), "them", force=False)
    assert objects.apply(web(replicas=2), "us", force=True, dry_run=True)["spec"] == {"replicas": 2}
    assert objects.get(KEY) == before
    with pytest.raises(Refused, match='conflict with "them"'):
        objects.apply(web(replicas=2), "us", force=False, dry_run=True)
    # They still have it.
    objects.apply(web(), "them", force=False)
    assert spec(objects) is None


def test_an_object_that_was_made_anew_has_no_owners_of_before(objects: Objects) -> None:
    objects.apply(web(replicas=1), "them", force=False)
    objects.delete(KEY)
    objects.apply(web(replicas=2), "us", force=False)
    assert objects.owners[KEY] == {("us", "Apply"): {("spec", "replicas")}}


def test_nobody_owns_what_says_which_object_it_is() -> None:
    assert list(fields(web({"team": "x"}))) == [("metadata", "labels", "team")]


# Threads


def test_what_is_given_out_is_nobody_elses(objects: Objects) -> None:
    wanted = web(replicas=1)
    objects.create(wanted, "us")
    wanted["spec"]["replicas"] = 7
    objects.get(KEY)["spec"]["replicas"] = 8
    objects.list("Deployment")[0]["spec"]["replicas"] = 9
    assert spec(objects) == {"replicas": 1}


@pytest.mark.parametrize("act", ["create", "apply", "merge", "delete", "get", "list"])
def test_a_request_is_carried_out_while_no_other_one_is(objects: Objects, act: str) -> None:
    objects.apply(web(), "us", force=False)
    acts = {
        "create": lambda: objects.create(web() | {"kind": "Another"}, "us"),
        "apply": lambda: objects.apply(web(replicas=2), "us", force=False),
        "merge": lambda: objects.merge(KEY, {"spec": {"replicas": 2}}, "us"),
        "delete": lambda: objects.delete(KEY),
        "get": lambda: objects.get(KEY),
        "list": lambda: objects.list("Deployment"),
    }
    held: list[bool] = []

    class Watched(dict[Any, Any]):
        """Notes at each look and at each write whether somebody else could begin a request."""

        def _note(self) -> None:
            with ThreadPoolExecutor(1) as other:
                held.append(not other.submit(objects.lock.acquire, blocking=False).result())

        def __contains__(self, key: object) -> bool:
            self._note()
            return super().__contains__(key)

        def __iter__(self) -> Any:
            self._note()
            return super().__iter__()

        def __setitem__(self, key: Any, value: Any) -> None:
            self._note()
            super().__setitem__(key, value)

        def __delitem__(self, key: Any) -> None:
            self._note()
            super().__delitem__(key)

    objects.kept = Watched(objects.kept)
    acts[act]()
    assert set(held) == {True}


def test_of_two_that_make_the_same_one_is_refused(objects: Objects) -> None:
    together = threading.Barrier(2)

    def make(who: str) -> str:
        together.wait(60)
        try:
            return str(objects.create(web({"of": who}), who)["metadata"]["labels"]["of"])
        except Refused as refusal:
            return refusal.reason

    with ThreadPoolExecutor(2) as pool:
        outcomes = set(pool.map(make, ["a", "b"]))
    assert outcomes == {"AlreadyExists", objects.kept[KEY]["metadata"]["labels"]["of"]}


def test_of_two_that_change_what_both_have_seen_one_is_refused(objects: Objects) -> None:
    seen = objects.create(web(replicas=0), "us")["metadata"]
    together = threading.Barrier(2)

    def change(replicas: int) -> object:
        together.wait(60)
        try:
            return objects.merge(KEY, {"metadata": seen, "spec": {"replicas": replicas}}, "us")["spec"]["replicas"]
        except Refused as refusal:
            return refusal.reason

    with ThreadPoolExecutor(2) as pool:
        outcomes = set(pool.map(change, [1, 2]))
    assert outcomes == {"Conflict", spec(objects)["replicas"]}
