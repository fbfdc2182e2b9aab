"""NiFi's client, against a stand-in for its REST API."""

from __future__ import annotations

import json

import httpx
import pytest

from data_platform.clients.nifi import Bulletin, FlowFile, Group, NiFi, NiFiError, Parameter, Processor, Queue, Status


class Api:
    """Answers by method and path; a list is used up from its beginning. Remembers what was asked."""

    def __init__(self, answers: dict[str, list[httpx.Response]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, object]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = f"{request.method} {request.url.path.removeprefix('/nifi-api')}"
        is_json = request.headers.get("Content-Type") == "application/json"
        self.asked.append((key, json.loads(request.content) if is_json else dict(request.url.params)))
        return self.answers[key].pop(0)

    def session(self, seconds: float = 5) -> NiFi:
        return NiFi("http://127.0.0.1:1", seconds, httpx.MockTransport(self))


def ok(body: object) -> httpx.Response:
    return httpx.Response(200, json=body)


def test_groups_are_read_with_their_names() -> None:
    api = Api(
        {"GET /process-groups/root/process-groups": [ok({"processGroups": [{"id": "1", "component": {"name": "a"}}]})]}
    )
    with api.session() as nifi:
        assert nifi.groups() == [Group("1", "a")]


def test_processors_are_offered_by_their_class_names() -> None:
    offered = {"processorTypes": [{"type": "a.B", "bundle": {}}, {"type": "a.C", "bundle": {}}]}
    with Api({"GET /flow/processor-types": [ok(offered)]}).session() as nifi:
        assert nifi.kinds() == {"a.B", "a.C"}


def test_a_refusal_is_an_error_with_the_words_of_nifi() -> None:
    api = Api({"GET /process-groups/root/process-groups": [httpx.Response(409, text="not now")]})
    with api.session() as nifi, pytest.raises(NiFiError, match=r"GET /nifi-api/process-groups/root.* 409: not now"):
        nifi.groups()


def processor(descriptors: dict[str, object]) -> httpx.Response:
    return ok({"id": "p", "component": {"config": {"descriptors": descriptors}}})


def test_a_processor_is_made_with_its_properties() -> None:
    api = Api({"POST /process-groups/g/processors": [processor({"text": {"name": "text"}})]})
    with api.session() as nifi:
        assert (
            nifi.create_processor("g", "x.Generate", {"text": "hello"}, schedule="1 day", terminated=("failure",))
            == "p"
        )
    [(_, body)] = api.asked
    assert body == {
        "revision": {"version": 0},
        "component": {
            "type": "x.Generate",
            "position": {"x": 0, "y": 0},
            "config": {
                "properties": {"text": "hello"},
                "schedulingPeriod": "1 day",
                "autoTerminatedRelationships": ["failure"],
            },
        },
    }


@pytest.mark.parametrize("descriptors", [{"text": {}}, {"text": {}, "Text": {"dynamic": True}}])
def test_a_property_that_nifi_would_take_for_an_attribute_is_an_error(descriptors: dict[str, object]) -> None:
    api = Api({"POST /process-groups/g/processors": [processor(descriptors)]})
    with api.session() as nifi, pytest.raises(NiFiError, match=r"has no property Text; it has text$"):
        nifi.create_processor("g", "x.Generate", {"Text": "hello"})


def test_a_processor_is_run_with_its_present_revision() -> None:
    api = Api({"GET /processors/p": [ok({"revision": {"version": 7}})], "PUT /processors/p/run-status": [ok({})]})
    with api.session() as nifi:
        nifi.run("p", "RUN_ONCE")
    assert api.asked[-1] == ("PUT /processors/p/run-status", {"revision": {"version": 7}, "state": "RUN_ONCE"})


QUEUE = "/flowfile-queues/q/listing-requests"


def listing(*, finished: bool, **more: object) -> httpx.Response:
    return ok({"listingRequest": {"id": "l", "finished": finished, **more}})


def test_a_queue_is_listed_once_nifi_has_finished_and_the_request_is_removed() -> None:
    done = listing(finished=True, flowFileSummaries=[{"uuid": "f1"}, {"uuid": "f2", "clusterNodeId": "n2"}])
    api = Api({
        f"POST {QUEUE}": [listing(finished=False)],
        f"GET {QUEUE}/l": [listing(finished=False), done],
        f"DELETE {QUEUE}/l": [ok({})],
    })  # fmt: skip
    with api.session() as nifi:
        assert nifi.queued("q") == [FlowFile("f1"), FlowFile("f2", "n2")]
    assert [key for key, _ in api.asked] == [f"POST {QUEUE}", f"GET {QUEUE}/l", f"GET {QUEUE}/l", f"DELETE {QUEUE}/l"]


GONE = [httpx.Response(404, text="unknown request"), httpx.Response(409, text="busy"), httpx.Response(500)]


@pytest.mark.parametrize("answer", GONE)
def test_a_request_that_cannot_be_removed_does_not_make_its_success_a_failure(answer: httpx.Response) -> None:
    done = listing(finished=True, flowFileSummaries=[{"uuid": "f1"}])
    api = Api({f"POST {QUEUE}": [listing(finished=False)], f"GET {QUEUE}/l": [done], f"DELETE {QUEUE}/l": [answer]})
    with api.session() as nifi:
        assert nifi.queued("q") == [FlowFile("f1")]
    assert api.asked[-1][0] == f"DELETE {QUEUE}/l"


@pytest.mark.parametrize("answer", GONE)
def test_a_request_that_cannot_be_removed_does_not_hide_why_it_failed(answer: httpx.Response) -> None:
    refusal = httpx.Response(400, text="no such queue")
    api = Api({f"POST {QUEUE}": [listing(finished=False)], f"GET {QUEUE}/l": [refusal], f"DELETE {QUEUE}/l": [answer]})
    with api.session() as nifi, pytest.raises(NiFiError, match="400: no such queue"):
        nifi.queued("q")
    assert api.asked[-1][0] == f"DELETE {QUEUE}/l"


def test_content_is_asked_for_at_the_node_that_holds_it() -> None:
    place = "GET /flowfile-queues/q/flowfiles/f/content"
    api = Api({place: [httpx.Response(200, content=b"a"), httpx.Response(200, content=b"b")]})
    with api.session() as nifi:
        assert nifi.content("q", FlowFile("f")) == b"a"
        assert nifi.content("q", FlowFile("f", "n2")) == b"b"
    assert api.asked == [(place, {}), (place, {"clusterNodeId": "n2"})]


def test_a_nifi_on_its_own_has_no_nodes() -> None:
    with Api({"GET /flow/cluster/summary": [ok({"clusterSummary": {"clustered": False}})]}).session() as nifi:
        assert nifi.nodes() == {}


def test_nodes_are_told_with_their_states() -> None:
    nodes = [{"address": "nifi-0", "status": "CONNECTED"}, {"address": "nifi-1", "status": "DISCONNECTED"}]
    api = Api({
        "GET /flow/cluster/summary": [ok({"clusterSummary": {"clustered": True}})],
        "GET /controller/cluster": [ok({"cluster": {"nodes": nodes}})],
    })  # fmt: skip
    with api.session() as nifi:
        assert nifi.nodes() == {"nifi-0": "CONNECTED", "nifi-1": "DISCONNECTED"}


def test_a_listing_that_never_finishes_ends_at_the_deadline_and_is_removed() -> None:
    api = Api({
        f"POST {QUEUE}": [listing(finished=False)],
        f"GET {QUEUE}/l": [listing(finished=False) for _ in range(100)],
        f"DELETE {QUEUE}/l": [ok({})],
    })  # fmt: skip
    with api.session(seconds=0.1) as nifi, pytest.raises(NiFiError, match="not done after"):
        nifi.queued("q")
    assert api.asked[-1][0] == f"DELETE {QUEUE}/l"


def test_a_listing_that_failed_is_an_error() -> None:
    api = Api({
        f"POST {QUEUE}": [listing(finished=False)],
        f"GET {QUEUE}/l": [listing(finished=True, failureReason="disk full")],
        f"DELETE {QUEUE}/l": [ok({})],
    })  # fmt: skip
    with api.session() as nifi, pytest.raises(NiFiError, match="disk full"):
        nifi.queued("q")


def group_answers(services: list[httpx.Response], deletions: list[httpx.Response]) -> dict[str, list[httpx.Response]]:
    emptying = "/process-groups/g/empty-all-connections-requests"
    return {
        "PUT /flow/process-groups/g": [ok({})],
        f"POST {emptying}": [ok({"dropRequest": {"id": "d", "finished": False}}) for _ in range(100)],
        f"GET {emptying}/d": [ok({"dropRequest": {"id": "d", "finished": True}}) for _ in range(100)],
        f"DELETE {emptying}/d": [ok({}) for _ in range(100)],
        "PUT /flow/process-groups/g/controller-services": services,
        "GET /process-groups/g": [ok({"revision": {"version": version}}) for version in (3, 4, 5)],
        "DELETE /process-groups/g": deletions,
    }


def test_a_group_is_stopped_emptied_and_then_deleted_with_its_present_revision() -> None:
    api = Api(group_answers([ok({})], [ok({})]))
    with api.session() as nifi:
        nifi.delete_group("g")
    assert api.asked[0] == ("PUT /flow/process-groups/g", {"id": "g", "state": "STOPPED"})
    assert api.asked[-1] == ("DELETE /process-groups/g", {"version": "3"})


def test_deleting_is_repeated_while_something_still_runs() -> None:
    busy = httpx.Response(409, text="still running")
    api = Api(group_answers([busy, ok({}), ok({})], [busy, ok({})]))
    with api.session() as nifi:
        nifi.delete_group("g")
    assert [key for key, _ in api.asked].count("DELETE /process-groups/g") == 2
    assert api.asked[-1] == ("DELETE /process-groups/g", {"version": "4"})


def test_deleting_something_that_never_stops_is_an_error_with_the_reason() -> None:
    api = Api(group_answers([httpx.Response(409, text="still running") for _ in range(100)], []))
    with api.session(seconds=0.1) as nifi, pytest.raises(NiFiError, match="still running"):
        nifi.delete_group("g")


def test_a_deletion_that_is_refused_for_another_reason_is_not_repeated() -> None:
    api = Api(group_answers([ok({})], [httpx.Response(403, text="not yours")]))
    with api.session() as nifi, pytest.raises(NiFiError, match="403: not yours"):
        nifi.delete_group("g")


def test_a_definition_is_uploaded_as_a_file_under_its_name() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content)
        return ok({"id": "g"})

    with NiFi("http://127.0.0.1:1", 5, httpx.MockTransport(answer)) as nifi:
        assert nifi.upload("rates", {"flowContents": {}}, 7) == Group("g", "rates")
    [body] = asked
    for part in (b'name="groupName"\r\n\r\nrates', b'name="positionX"\r\n\r\n7', b'{"flowContents": {}}'):
        assert part in body


def replacing(**done: object) -> dict[str, list[httpx.Response]]:
    return {
        "GET /process-groups/g": [ok({"revision": {"version": 3}})],
        "POST /process-groups/g/replace-requests": [ok({"request": {"requestId": "r", "complete": False}})],
        "GET /process-groups/replace-requests/r": [ok({"request": {"requestId": "r", "complete": True, **done}})],
        "DELETE /process-groups/replace-requests/r": [ok({})],
    }


def test_a_group_is_replaced_in_the_background_from_its_present_revision() -> None:
    api = Api(replacing())
    with api.session() as nifi:
        nifi.replace("g", {"flowContents": {}})
    body = {"processGroupRevision": {"version": 3}, "versionedFlowSnapshot": {"flowContents": {}}}
    assert api.asked[1] == ("POST /process-groups/g/replace-requests", body)
    assert api.asked[-1][0] == "DELETE /process-groups/replace-requests/r"


def test_a_replacement_that_nifi_gives_up_is_an_error() -> None:
    api = Api(replacing(failureReason="the queue is not empty"))
    with api.session() as nifi, pytest.raises(NiFiError, match="the queue is not empty"):
        nifi.replace("g", {})


def status(*processors: tuple[str, str, int], nodes: int = 0) -> httpx.Response:
    queue = {"id": "q", "sourceName": "a", "destinationName": "b", "flowFilesQueued": 2}
    found = {
        "processorStatusSnapshots": [
            {"processorStatusSnapshot": {"id": name, "name": name, "runStatus": state, "activeThreadCount": threads}}
            for name, state, threads in processors
        ],
        "connectionStatusSnapshots": [{"connectionStatusSnapshot": queue}],
    }
    parts = {"nodeSnapshots": [{}] * nodes} if nodes else {}
    return ok({"processGroupStatus": {"aggregateSnapshot": found, **parts}})


def test_the_status_of_a_group_has_its_processors_and_queues() -> None:
    with Api({"GET /flow/process-groups/g/status": [status(("p", "Running", 1))]}).session() as nifi:
        assert nifi.status("g") == Status([Processor("p", "p", "RUNNING", 1)], [Queue("q", "a", "b", 2)])


def test_the_status_of_a_group_says_how_many_nodes_told_theirs() -> None:
    api = Api({"GET /flow/process-groups/g/status": [status(("p", "Running", 1), nodes=2)]})
    with api.session() as nifi:
        assert nifi.status("g").nodes == 2
    assert api.asked == [("GET /flow/process-groups/g/status", {"nodewise": "true"})]


def test_a_group_has_stopped_when_no_processor_has_a_task() -> None:
    looks = [status(("p", "Running", 1)), status(("p", "Stopped", 1)), status(("p", "Stopped", 0))]
    api = Api({"PUT /flow/process-groups/g": [ok({})], "GET /flow/process-groups/g/status": looks})
    with api.session() as nifi:
        nifi.run_group("g", "STOPPED")
    assert looks == []


def test_a_group_that_does_not_stop_is_an_error_that_names_what_is_busy() -> None:
    looks = [status(("slow one", "Stopped", 1)) for _ in range(100)]
    api = Api({"PUT /flow/process-groups/g": [ok({})], "GET /flow/process-groups/g/status": looks})
    with api.session(seconds=0.1) as nifi, pytest.raises(NiFiError, match="slow one"):
        nifi.run_group("g", "STOPPED")


def test_bulletins_are_told_without_the_ids_of_processors() -> None:
    told = {"timestamp": "12:00:00 UTC", "level": "ERROR", "sourceName": "Put", "message": "PutFile[id=1-2] disk full"}
    board = {"bulletinBoard": {"bulletins": [{"bulletin": told}, {"id": 7}]}}
    api = Api({"GET /flow/bulletin-board": [ok(board)]})
    with api.session() as nifi:
        found = nifi.bulletins("g")
    assert found == [Bulletin("12:00:00 UTC", "ERROR", "Put", "disk full")]
    assert str(found[0]) == "12:00:00 UTC ERROR Put: disk full"
    assert api.asked == [("GET /flow/bulletin-board", {"groupId": "g"})]


CONTEXT = {
    "parameters": [
        {"parameter": {"name": "open", "value": "1", "description": "text", "sensitive": False}},
        {"parameter": {"name": "secret", "value": "********", "sensitive": True}},
    ]
}


def test_parameters_are_read_without_what_stands_for_a_secret() -> None:
    listed = {"parameterContexts": [{"id": "o", "component": {"name": "o"}}, {"id": "c", "component": {"name": "x"}}]}
    api = Api({
        "GET /flow/parameter-contexts": [ok(listed), ok(listed)],
        "GET /parameter-contexts/c": [ok({"component": CONTEXT})],
    })  # fmt: skip
    with api.session() as nifi:
        found = nifi.parameters("x")
        assert nifi.parameters("none") is None
    assert found
    assert found.id == "c"
    assert found.parameters == {
        "open": Parameter("open", "1", "text"),
        "secret": Parameter("secret", None, "", sensitive=True),
    }


def test_only_changed_parameters_are_sent() -> None:
    updates = "/parameter-contexts/c/update-requests"
    api = Api({
        "GET /parameter-contexts/c": [ok({"revision": {"version": 1}})],
        f"POST {updates}": [ok({"request": {"requestId": "r", "complete": False}})],
        f"GET {updates}/r": [ok({"request": {"complete": False}}), ok({"request": {"complete": True}})],
        f"DELETE {updates}/r": [ok({})],
    })  # fmt: skip
    with api.session() as nifi:
        nifi.set_parameters("c", "x", [Parameter("secret", "s", "", sensitive=True)], ["old"])
    body = dict(api.asked[1][1])  # type: ignore[call-overload]
    sent = {"parameter": {"name": "secret", "value": "s", "description": "", "sensitive": True}}
    assert body["component"] == {"id": "c", "name": "x", "parameters": [sent, {"parameter": {"name": "old"}}]}
