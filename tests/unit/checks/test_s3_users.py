"""The check `s3_users`: a user that can do more than its claim says is seen, and one that can do less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from minio.error import S3Error

from data_platform.checks.base import Address, CheckFailed, Deadline
from data_platform.checks.s3_users import Params, check
from data_platform.stack.load import load_stack
from data_platform.stack.stack import Stack
from tests.unit.clients.fake_object_store import refusal

if TYPE_CHECKING:
    from tests.conftest import Tiny

#: What each verb of a claim lets somebody do.
ACTS = {"read": {"list"}, "add": {"list", "put"}, "write": {"list", "put", "remove"}}


class Store:
    """Lets each user do in each bucket what the rights say."""

    def __init__(self) -> None:
        self.rights: dict[tuple[str, str], set[str]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.stored: set[tuple[str, str]] = set()
        self.down = ""

    def open(self, url: str, name: str, key: str, seconds: float) -> Session:
        assert (url, key) in (("http://s3", f"key of {name}"), ("http://vault", f"other key of {name}"))
        assert seconds > 0
        return Session(self, name)


class Session:
    """The client of one user."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name

    def _act(self, verb: str, bucket: str) -> None:
        self.store.asked.append((self.name, verb, bucket))
        if self.store.down:
            raise refusal(self.store.down)
        if verb not in self.store.rights.get((self.name, bucket), set()):
            raise refusal("AccessDenied")

    def list_objects(self, bucket: str, prefix: str) -> Iterator[object]:
        assert prefix.startswith(".checks/")
        self._act("list", bucket)
        yield from ()

    def put_object(self, bucket: str, key: str, data: Any, length: int) -> None:
        assert (key.startswith(".checks/"), data.read(), length) == (True, b"", 0)
        self._act("put", bucket)
        self.store.stored.add((bucket, key))

    def remove_object(self, bucket: str, key: str) -> None:
        assert key.startswith(".checks/")
        self._act("remove", bucket)


class Place:
    """A platform with an object store."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def address(self, component: str, endpoint: str) -> Address:
        assert (component in ("s3", "vault"), endpoint) == (True, "http")
        return Address("store", 1, f"http://{component}")

    def credentials(self, holder: str) -> Mapping[str, str]:
        # The root key is none of its business.
        assert holder in ("reader", "pipelines", "checks")
        return {"s3_access_key": holder, "s3_secret_key": f"key of {holder}"} | (
            {"vault_access_key": holder, "vault_secret_key": f"other key of {holder}"}
        )


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that does what the claims of the small stack say."""
    made = Store()
    claims = {
        "reader": {"raw": "read", "results": "write"},
        "pipelines": {"raw": "add"},
        "checks": {"raw": "write", "results": "read"},
    }
    made.rights = {
        (name, bucket): set(ACTS[verb]) for name, buckets in claims.items() for bucket, verb in buckets.items()
    }
    monkeypatch.setattr("data_platform.clients.s3.client", made.open)
    return made


def run(tiny: Tiny, profile: str = "default", **params: Any) -> str:
    place: Any = Place(load_stack(tiny.root, profile))
    return check(Params(**params), place, Deadline(5))


@pytest.mark.parametrize("profile", ["default", "weeds"])
def test_it_passes_when_every_user_is_let_into_its_own_buckets_alone(tiny: Tiny, store: Store, profile: str) -> None:
    assert run(tiny, profile) == "3 users let into their own buckets alone: reader, pipelines, checks"
    # Nothing was tried that would change what somebody is right to change.
    assert store.stored == set()
    changing = {(name, verb, bucket) for name, verb, bucket in store.asked if verb != "list"}
    assert changing == {
        ("reader", "put", "raw"),
        ("reader", "remove", "raw"),
        ("pipelines", "remove", "raw"),
        ("pipelines", "put", "results"),
        ("pipelines", "remove", "results"),
        ("checks", "put", "results"),
        ("checks", "remove", "results"),
    }


@pytest.mark.parametrize(
    ("whose", "right", "said"),
    [
        (("pipelines", "results"), "list", "pipelines can list results"),
        (("reader", "raw"), "put", "reader can put into raw"),
        (("pipelines", "raw"), "remove", "pipelines can remove from raw"),
        (("checks", "results"), "remove", "checks can remove from results"),
        (("pipelines", "results"), "put", "pipelines can put into results"),
    ],
)
def test_a_right_too_many_is_named(tiny: Tiny, store: Store, whose: tuple[str, str], right: str, said: str) -> None:
    store.rights.setdefault(whose, set()).add(right)
    with pytest.raises(CheckFailed) as caught:
        run(tiny)
    assert str(caught.value) == said


def test_where_to_put_is_to_remove_too_that_alone_is_no_right_too_many(tiny: Tiny, store: Store) -> None:
    store.rights["pipelines", "raw"].add("remove")
    assert run(tiny, add_is_write=True).startswith("3 users")
    assert ("pipelines", "remove", "raw") not in store.asked
    store.rights["reader", "raw"].add("remove")
    with pytest.raises(CheckFailed, match=r"^reader can remove from raw$"):
        run(tiny, add_is_write=True)


def test_a_user_that_is_not_let_into_its_own_bucket_is_named(tiny: Tiny, store: Store) -> None:
    store.rights["reader", "results"].clear()
    with pytest.raises(CheckFailed, match=r"^reader cannot list results$"):
        run(tiny)


def test_all_that_is_wrong_is_said_at_once(tiny: Tiny, store: Store) -> None:
    store.rights["reader", "raw"].add("remove")
    store.rights["pipelines", "results"] = {"list"}
    with pytest.raises(CheckFailed, match=r"^reader can remove from raw; pipelines can list results$"):
        run(tiny)


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "ServiceUnavailable"])
def test_a_store_that_says_something_else_is_no_refusal(tiny: Tiny, store: Store, code: str) -> None:
    store.down = code
    with pytest.raises(S3Error, match=code):
        run(tiny)


def test_without_a_user_it_fails(tiny: Tiny, store: Store) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c.pop("claims"))
    tiny.edit(tiny.stack_file, lambda c: c.pop("identities"))
    with pytest.raises(CheckFailed, match="nobody has claimed a user"):
        run(tiny)
    assert store.asked == []


def test_users_and_buckets_of_another_store_are_its_own(tiny: Tiny, store: Store) -> None:
    tiny.second_store()
    assert run(tiny).startswith("3 users")
    assert {bucket for _, _, bucket in store.asked} == {"raw", "results"}
    store.asked.clear()
    store.rights["reader", "saved"] = set(ACTS["write"])
    assert run(tiny, of="vault") == "1 users let into their own buckets alone: reader"
    assert store.asked == [("reader", "list", "saved")]
