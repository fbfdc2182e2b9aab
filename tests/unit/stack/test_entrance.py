"""What an entrance lets people through to: pages, by name, and no API beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from data_platform.stack import entrance
from data_platform.stack.endpoint import Endpoint, is_among
from data_platform.stack.entrance import Route, routes
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, LOCAL, load_stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tiny

DOMAIN = "data.example"


def page(**said: Any) -> Endpoint:
    return Endpoint.model_validate({"port": 8000, "path": "/ui/", "audience": ["people"], **said})


def test_of_a_page_all_below_its_path_is_opened_and_nothing_else() -> None:
    assert page().opened == ("/ui/*",)
    assert page(path="/").opened == ("/*",)
    assert page(path="/ui").opened == ("/ui", "/ui/*")


def test_what_is_for_others_opens_nothing_to_people() -> None:
    assert page(audience=["operators"]).opened == ()
    assert Endpoint(port=8000).opened == ()


@pytest.mark.parametrize(
    ("path", "opened", "closed", "let_through"),
    [
        ("/ui/", ["/ui/*"], [], True),
        ("/ui/query.html", ["/ui/*"], [], True),
        ("/ui", ["/ui/*"], [], False),
        ("/uix", ["/ui/*"], [], False),
        ("/v1/statement", ["/ui/*"], [], False),
        ("/entity", ["/", "/entity"], [], True),
        ("/entity/more", ["/", "/entity"], [], False),
        ("/api", ["/"], [], False),
        ("/api", ["/*"], [], True),
        ("/execution/run", ["/*"], ["/execution/*"], False),
        ("/dags", ["/*"], ["/execution/*"], True),
    ],
)
def test_a_path_is_among_those_that_are_opened_or_not(
    path: str, opened: list[str], closed: list[str], let_through: bool
) -> None:
    assert is_among(path, opened, closed) is let_through


def test_each_page_is_a_route_of_its_own_name(tiny: Tiny) -> None:
    more = {"scheme": "https", "opens": ["/ui/*", "/api/*"], "closes": ["/api/admin/*"]}
    tiny.edit(tiny.component("reader"), lambda c: c["endpoints"]["http"].update(more))
    assert routes(load_stack(tiny.root), DOMAIN) == [
        Route("portal.data.example", "portal", "http", "http", 21040, "/", ("/*",), ()),
        Route("reader.data.example", "reader", "http", "https", 21030, "/ui/", ("/ui/*", "/api/*"), ("/api/admin/*",)),
    ]


def test_what_is_for_components_or_operators_alone_has_no_route(tiny: Tiny) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c["endpoints"]["http"].update(audience=["operators", "components"]))
    stack = load_stack(tiny.root)
    assert [route.component for route in routes(stack, DOMAIN)] == ["portal"]
    assert entrance.page_endpoint(stack, "reader") == entrance.page_endpoint(stack, "s3") == ""
    for component, endpoint in (("reader", "http"), ("portal", "other"), ("s3", "http")):
        with pytest.raises(PlatformError, match=f"{stack.resolve(component)}.{endpoint} is no page that people open"):
            entrance.refuse_strangers(stack, component, endpoint)
    entrance.refuse_strangers(stack, "portal", "http")


@pytest.mark.parametrize("target", [LOCAL, KUBERNETES])
def test_no_api_of_this_platform_is_reached_through_a_page(root: Path, target: str) -> None:
    found = {route.component: route for route in routes(load_stack(root, target=target), DOMAIN)}
    assert found.keys() >= {"airflow", "datahub", "minio", "nessie", "nifi", "trino"}
    apis = {
        "airflow": "/execution/task-instances/1/run",
        "datahub": "/aspects",
        "nessie": "/iceberg/v1/config",
        "trino": "/v1/statement",
    }
    for component, path in apis.items():
        assert not is_among(path, found[component].opens, found[component].closes), component
    for route in found.values():
        assert is_among(route.page, route.opens, route.closes)
    # The console's port, not the store's.
    assert (found["minio"].endpoint, found["minio"].port) == ("console", 9001)
