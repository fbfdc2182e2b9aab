"""What is decided about a dataset's flow, and how it is carried out, without a NiFi."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import yaml

from data_platform.checks.base import Address, Deadline
from data_platform.clients.nifi import Bulletin, Group, NiFiError, Parameter, ParameterContext, Processor, Queue, Status
from data_platform.datasets import flow, flow_definition
from data_platform.datasets.flow_definition import Seen, Wanted, canonical, decide, digest, marked, prepared, wanted
from data_platform.datasets.landing.lying import Entry, Left, Lying
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import ARRIVALS, RAW

ROOT = Path(__file__).parents[3]
GIVEN = {
    "dataset": "tiny",
    "landing.folder": "/landing/tiny",
    "dead.letter.folder": "/landing/tiny.dead-letters",
}
#: What flows of earlier versions were given.
OLD = {
    "s3.access.key": Parameter("s3.access.key", "platform", "Name of the key."),
    "s3.secret.key": Parameter("s3.secret.key", None, "The key. [0123456789abcdef]", sensitive=True),
}
SWITCH = "Fetch: at the set times"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose dataset `tiny` uses the definition of fx_rates."""
    for dataset in ("fx_rates", "tiny"):
        (tmp_path / "nifi_flows" / dataset).mkdir(parents=True)
    definition = (ROOT / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8")
    (tmp_path / "nifi_flows/fx_rates/flow.json").write_text(definition, encoding="utf-8")
    write(tmp_path)
    return tmp_path


def write(checkout: Path, **changed: Any) -> None:
    found = yaml.safe_load((ROOT / "nifi_flows/fx_rates/parameters.yaml").read_text(encoding="utf-8"))
    found |= {"definition": "../fx_rates/flow.json", **changed}
    (checkout / "nifi_flows/tiny/parameters.yaml").write_text(yaml.safe_dump(found), encoding="utf-8")


def tiny(checkout: Path, *, fetch: bool | None = None) -> Wanted:
    return wanted(checkout, "tiny", GIVEN, fetch=fetch)


def deployed(want: Wanted, **changed: Any) -> Seen:
    """The flow as it is when nothing is to be done."""
    contents = want.definition["flowContents"]
    states = {p["name"]: "DISABLED" if p["name"] == SWITCH else "RUNNING" for p in contents["processors"]}
    connections = {c["identifier"]: f"instance of {c['identifier']}" for c in contents["connections"]}
    seen = Seen("g", marked(want, "0" * 16), "0" * 16, connections, (), want.parameters, states)
    return seen._replace(**changed)


# --- the files ----------------------------------------------------------------------------------------------------


def test_the_committed_definition_is_canonical() -> None:
    text = (ROOT / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8")
    assert text == json.dumps(canonical(json.loads(text)), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_committed_definition_holds_no_value_of_a_parameter_and_no_place() -> None:
    text = (ROOT / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8")
    (context,) = json.loads(text)["parameterContexts"].values()
    assert len(context["parameters"]) == 8
    assert [p for p in context["parameters"] if "value" in p] == []
    assert [p["name"] for p in context["parameters"] if p["sensitive"]] == []
    for word in ("127.0.0.1", "instanceIdentifier", "fx_rates"):
        assert word not in text


def put_the_arrival() -> tuple[dict[str, Any], set[str]]:
    """The processor that leaves an arrival, and names of those whose files come to it when all went well."""
    contents = json.loads((ROOT / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8"))["flowContents"]
    (put,) = [p for p in contents["processors"] if p["name"] == "Put the arrival"]
    ways = {(c["destination"]["name"], c["source"]["name"]) for c in contents["connections"]
            if c["selectedRelationships"] == ["success"]}  # fmt: skip
    (empty,) = [source for destination, source in ways if destination == put["name"]]
    return put, {source for destination, source in ways if destination == empty}


def test_what_was_stored_and_what_was_refused_with_its_reason_leave_an_arrival() -> None:
    assert put_the_arrival()[1] == {"Put into raw", "Put the reason beside it"}


def test_an_arrival_bears_the_time_of_the_very_try_that_put_it() -> None:
    """A watcher asks for what is newer than what it knows: the time of an earlier step would hide it."""
    put, _ = put_the_arrival()
    when = """${now():format("yyyyMMdd'T'HHmmssSSS", 'UTC')}"""
    assert put["properties"]["Object Key"] == f"{ARRIVALS}/${{dataset}}/{when}-${{content_SHA-256:substring(0, 16)}}"
    assert put["properties"]["Bucket"] == RAW


def test_an_arrival_is_tried_again_and_is_no_file_to_be_kept() -> None:
    put, _ = put_the_arrival()
    assert (put["retriedRelationships"], put["autoTerminatedRelationships"]) == (["failure"], ["failure", "success"])
    assert put["retryCount"] >= 5000


def test_every_committed_dataset_has_a_whole_flow() -> None:
    datasets = sorted(path.parent.name for path in (ROOT / "nifi_flows").glob("*/parameters.yaml"))
    assert "fx_rates" in datasets
    for dataset in datasets:
        assert wanted(ROOT, dataset, GIVEN).parameters


def test_fetching_is_off_unless_it_is_asked_for(checkout: Path) -> None:
    assert tiny(checkout).fetch is False
    assert tiny(checkout, fetch=True).fetch is True
    write(checkout, fetch=True)
    assert tiny(checkout).fetch is True
    assert tiny(checkout, fetch=False).fetch is False


def test_nothing_but_the_switch_is_switched(checkout: Path) -> None:
    assert flow_definition.switch_names(tiny(checkout).definition) == {SWITCH}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {}}, "gives no value to fetch.schedule, fetch.url, first.column"),
        ({"parameters": {"dataset": "other"}}, "sets dataset, which the platform sets"),
        ({"fetch": "sometimes"}, "fetch"),
        ({"more": 1}, "more"),
        ({"definition": "none.json"}, "none.json is missing"),
        ({"definition": "parameters.yaml"}, "parameters.yaml"),
    ],
)
def test_wrong_files_are_errors_that_name_the_place(checkout: Path, change: dict[str, Any], message: str) -> None:
    write(checkout, **change)
    with pytest.raises(PlatformError, match=message):
        tiny(checkout)


def test_a_value_for_no_parameter_is_an_error(checkout: Path) -> None:
    settings = yaml.safe_load((checkout / "nifi_flows/tiny/parameters.yaml").read_text(encoding="utf-8"))
    write(checkout, parameters={**settings["parameters"], "frist.column": "x"})
    with pytest.raises(PlatformError, match=r"sets frist\.column, which the flow does not have"):
        tiny(checkout)


def test_a_flow_that_wants_a_secret_is_an_error(checkout: Path) -> None:
    place = checkout / "nifi_flows/fx_rates/flow.json"
    definition = json.loads(place.read_text(encoding="utf-8"))
    (context,) = definition["parameterContexts"].values()
    (column,) = [p for p in context["parameters"] if p["name"] == "first.column"]
    column["sensitive"] = True
    place.write_text(json.dumps(definition), encoding="utf-8")
    with pytest.raises(PlatformError, match=r"wants first\.column as a secret; no secret goes through a flow"):
        tiny(checkout)


def test_what_nifi_is_given_has_the_datasets_name_and_its_values(checkout: Path) -> None:
    want = tiny(checkout)
    given = prepared(want)
    assert (given["flowContents"]["name"], given["flowContents"]["parameterContextName"]) == ("tiny", "tiny")
    values = {p["name"]: p["value"] for p in given["parameterContexts"]["tiny"]["parameters"]}
    assert values["landing.folder"] == "/landing/tiny"
    assert values["first.column"] == "Date"
    assert None not in values.values()
    for processor in given["flowContents"]["processors"]:
        assert set(processor["propertyDescriptors"]) == set(processor["properties"])


def test_a_digest_does_not_depend_on_the_nifi_but_on_the_flow(checkout: Path) -> None:
    want = tiny(checkout)
    exported = copy.deepcopy(want.definition)
    exported["flowContents"] |= {"name": "other", "comments": marked(want, "1" * 16), "instanceIdentifier": "x"}
    for processor in exported["flowContents"]["processors"]:
        processor |= {"instanceIdentifier": "y", "scheduledState": "RUNNING"}
        processor["properties"]["Nothing"] = None
    exported["flowContents"]["connections"].reverse()
    assert digest(exported) == want.digest
    exported["flowContents"]["processors"][0]["penaltyDuration"] = "7 sec"
    assert digest(exported) != want.digest


# --- deciding -----------------------------------------------------------------------------------------------------


def test_nothing_is_done_when_all_is_as_wanted(checkout: Path) -> None:
    want = tiny(checkout)
    assert decide(want, deployed(want)).nothing


def test_a_flow_that_is_not_there_is_created_and_started(checkout: Path) -> None:
    decision = decide(tiny(checkout), Seen())
    assert (decision.create, decision.start, decision.fetch) == (True, True, False)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"comments": ""}, "not deployed to its end"),
        ({"comments": "text\n[definition 1111111111111111, deployed as 0000000000000000]"}, "definition changed"),
        ({"deployed": "2" * 16}, "changed by hand in NiFi"),
    ],
)
def test_a_flow_that_differs_is_replaced_and_started_again(checkout: Path, changed: Any, reason: str) -> None:
    want = tiny(checkout)
    decision = decide(want, deployed(want, **changed))
    assert reason in decision.replace
    assert decision.start
    assert not decision.create
    assert decision.fetch is False


def test_parameters_that_the_flow_does_not_declare_are_removed(checkout: Path) -> None:
    want = tiny(checkout)
    decision = decide(want, deployed(want, parameters={**want.parameters, **OLD}))
    assert (decision.obsolete, decision.parameters, decision.replace) == (("s3.access.key", "s3.secret.key"), (), "")
    assert not decision.nothing


def test_a_parameter_of_another_value_or_missing_is_set(checkout: Path) -> None:
    want = tiny(checkout)
    there = dict(want.parameters)
    there["first.column"] = there["first.column"]._replace(value="Datum")
    del there["maximum.size"]
    decision = decide(want, deployed(want, parameters=there))
    assert {p.name for p in decision.parameters} == {"first.column", "maximum.size"}


def test_the_switch_is_turned(checkout: Path) -> None:
    on, off = tiny(checkout, fetch=True), tiny(checkout, fetch=False)
    decision = decide(on, deployed(on))
    assert (decision.fetch, decision.start, decision.replace) == (True, True, "")
    running = {**deployed(on).processors, SWITCH: "RUNNING"}
    assert decide(on, deployed(on, processors=running)).nothing
    assert decide(off, deployed(off, processors=running)).fetch is False


@pytest.mark.parametrize("state", ["STOPPED", "INVALID"])
def test_a_processor_that_rests_is_started(checkout: Path, state: str) -> None:
    want = tiny(checkout)
    decision = decide(want, deployed(want, processors={**deployed(want).processors, "Check the text": state}))
    assert decision.start
    assert not decision.replace


def test_a_removed_connection_that_holds_data_is_refused(checkout: Path) -> None:
    want = tiny(checkout)
    queue = Queue("held", "Digest the content", "Put into raw", 3)
    gone = {**deployed(want).connections, "an old one": "held"}
    old = {"comments": "", "connections": gone}
    with pytest.raises(PlatformError, match="3 from 'Digest the content' to 'Put into raw'"):
        decide(want, deployed(want, **old, queues=(queue,)))
    assert decide(want, deployed(want, **old, queues=(queue._replace(flow_files=0),))).replace
    kept = next(iter(deployed(want).connections.values()))
    assert decide(want, deployed(want, **old, queues=(queue._replace(id=kept),))).replace


def test_a_wish_to_fetch_is_not_data() -> None:
    wish, data = Queue("1", "a", "Fetch: ask", 1), Queue("2", "Fetch: ask", "Stamp", 2)
    assert flow_definition.waiting([wish, data, Queue("3", "a", "b", 0)]) == [data]


# --- acting -------------------------------------------------------------------------------------------------------


class FakeNiFi:
    """A NiFi with at most one group. Remembers in which order it was changed."""

    def __init__(self) -> None:
        self.group: Group | None = None
        self.flow: dict[str, Any] = {}
        self.states: dict[str, str] = {}
        self.context: ParameterContext | None = None
        self.queues: list[Queue] = []
        self.told: list[Bulletin] = []
        self.done: list[str] = []
        self.written = False
        #: State of each node at each look; the last one stays. And how many of them tell their status.
        self.nodes_seen: list[dict[str, str]] = [{}]
        self.answering = 1
        #: Kinds of processors that it does not offer at each look; the last one stays.
        self.lacking: list[set[str]] = [set()]

    def kinds(self) -> set[str]:
        lacking = self.lacking.pop(0) if len(self.lacking) > 1 else self.lacking[0]
        path = Path(__file__).resolve().parents[3] / "nifi_flows/fx_rates/flow.json"
        return flow_definition.kinds(json.loads(path.read_text(encoding="utf-8"))) - lacking

    def nodes(self) -> dict[str, str]:
        return self.nodes_seen.pop(0) if len(self.nodes_seen) > 1 else self.nodes_seen[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def groups(self) -> list[Group]:
        return [self.group] if self.group else []

    def upload(self, name: str, definition: dict[str, Any], x: float) -> Group:
        assert x == 0
        self.done.append("upload")
        self.group = Group("g", name)
        if self.context is None:
            listed = definition["parameterContexts"][name]["parameters"]
            self.context = ParameterContext("c", {p["name"]: Parameter(**p) for p in listed})
        self._take(definition)
        return self.group

    def replace(self, group: str, definition: dict[str, Any]) -> None:
        assert group == "g"
        assert "RUNNING" not in self.states.values(), "changed while it runs"
        self.done.append("replace")
        self._take(definition)

    def _take(self, definition: dict[str, Any]) -> None:
        self.flow = copy.deepcopy(definition)
        contents = self.flow["flowContents"]
        for item in (*contents["processors"], *contents["connections"]):
            item["instanceIdentifier"] = f"i-{item['identifier']}"
        self.states = {p["name"]: "STOPPED" for p in contents["processors"]}

    def download(self, group: str) -> dict[str, Any]:
        assert group == "g"
        return copy.deepcopy(self.flow)

    def set_comments(self, group: str, text: str) -> None:
        assert group == "g"
        self.flow["flowContents"]["comments"] = text

    def status(self, group: str) -> Status:
        assert group == "g"
        found = [Processor(f"i-{p['identifier']}", p["name"], self.states[p["name"]], 0) for p in self._processors()]
        return Status(found, self.queues, self.answering)

    def _processors(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.flow["flowContents"]["processors"]
        return found

    def run(self, processor: str, state: str) -> None:
        (name,) = [p["name"] for p in self._processors() if f"i-{p['identifier']}" == processor]
        self.states[name] = state

    def run_group(self, group: str, state: str) -> None:
        assert group == "g"
        self.done.append(state)
        if state == "RUNNING":
            assert self.written, "started before it was on disk"
        self.states = {n: s if s == "DISABLED" else state for n, s in self.states.items()}

    def parameters(self, name: str) -> ParameterContext | None:
        assert name == "tiny"
        return self.context

    def set_parameters(self, context: str, name: str, changed: Any, removed: Any) -> None:
        assert (context, name) == ("c", "tiny")
        assert self.context
        self.done.append("parameters")
        used = [n for n in removed if f"#{{{n}}}" in json.dumps(self.flow)]
        assert not used, "NiFi removes no parameter that a processor uses"
        there = {n: p for n, p in self.context.parameters.items() if n not in removed}
        self.context = ParameterContext("c", {**there, **{p.name: p for p in changed}})

    def bulletins(self, group: str) -> list[Bulletin]:
        assert group == "g"
        return self.told

    def on_disk(self) -> bytes:
        """What lies on disk: the first look always comes too early."""
        if not self.written:
            self.written = True
            return b"half a file"
        contents = copy.deepcopy(self.flow["flowContents"])
        for processor in contents["processors"]:
            state = self.states[processor["name"]]
            processor["scheduledState"] = "ENABLED" if state == "STOPPED" else state
        written = {"rootGroup": {"processGroups": [{**contents, "instanceIdentifier": "g"}]}}
        return gzip.compress(json.dumps(written).encode())


class FakeTarget:
    def __init__(self, root: Path, nifi: FakeNiFi) -> None:
        self.stack = SimpleNamespace(root=root)
        self.nifi = nifi
        self.files: list[str] = []
        #: What is not taken, and the names of what was set aside of it.
        self.left: list[Left] = []
        self.aside: list[bytes] = []

    def address(self, component: str, endpoint: str) -> Address:
        return Address("127.0.0.1", 1, f"http://127.0.0.1/{component}/{endpoint}")

    def made(self, dataset: str) -> str:
        return f"/landing/{dataset}"

    def lying(self, dataset: str) -> Lying:
        assert dataset == "tiny"
        return Lying(self.files, self.left)

    def set_aside(self, dataset: str, left: Left) -> str:
        assert dataset == "tiny"
        if left.entry.kind == "?":
            raise PlatformError("Read-only file system: /landing", "remount it")
        self.aside.append(left.entry.name)
        return "" if left.entry.mark == "gone" else f"/aside/{left.entry.name.decode()}"

    def kept(self, name: str) -> bytes:
        assert name == "flow.json.gz"
        return self.nifi.on_disk()


@pytest.fixture
def target(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTarget:
    nifi = FakeNiFi()
    monkeypatch.setattr(flow.connect, "nifi", lambda *_: nifi)
    monkeypatch.setattr(flow, "landing_of", lambda target: target)
    return FakeTarget(checkout, nifi)


def deploy(target: FakeTarget, *, fetch: bool | None = None) -> str:
    target.nifi.done, target.nifi.written = [], False
    return flow.deploy_flow(target, "tiny", fetch=fetch, deadline=Deadline(5))  # type: ignore[arg-type]


def test_a_flow_is_created_once(target: FakeTarget) -> None:
    assert deploy(target) == "flow tiny: created and started"
    assert target.nifi.done == ["upload", "RUNNING"]
    assert target.nifi.states[SWITCH] == "DISABLED"
    assert deploy(target) == "flow tiny: unchanged"
    assert target.nifi.done == []


def test_a_new_definition_stops_the_flow_first_and_starts_it_when_it_is_on_disk(target: FakeTarget) -> None:
    deploy(target)
    place = target.stack.root / "nifi_flows/fx_rates/flow.json"
    place.write_text(place.read_text(encoding="utf-8").replace('"1 min"', '"2 min"'), encoding="utf-8")
    assert deploy(target).startswith("flow tiny: upgraded: its definition changed")
    assert target.nifi.done == ["STOPPED", "replace", "RUNNING"]
    assert deploy(target) == "flow tiny: unchanged"


def test_a_flow_of_an_earlier_version_loses_its_key_when_nothing_uses_it_any_more(target: FakeTarget) -> None:
    deploy(target)
    assert target.nifi.context
    target.nifi.context.parameters.update(OLD)
    contents = target.nifi.flow["flowContents"]
    (put,) = [p for p in contents["processors"] if p["name"] == "Put into raw"]
    put["properties"]["Secret Key"] = "#{s3.secret.key}"
    told = deploy(target)
    assert told.startswith("flow tiny: upgraded: ")
    assert told.endswith("; parameters removed: s3.access.key, s3.secret.key")
    assert target.nifi.done == ["STOPPED", "replace", "parameters", "RUNNING"]
    assert not set(OLD) & set(target.nifi.context.parameters)
    assert deploy(target) == "flow tiny: unchanged"


TAKE = "dataplatform.nifi.TakeFile"


def test_a_flow_waits_for_a_nifi_that_has_its_processors(target: FakeTarget) -> None:
    """A pipeline may run while a deploy is about to bring a newer NiFi."""
    target.nifi.lacking = [{TAKE}, {TAKE}, set()]
    assert deploy(target) == "flow tiny: created and started"
    assert target.nifi.done == ["upload", "RUNNING"]
    assert target.nifi.lacking == [set()], "it was not asked until it had them"


def test_a_flow_with_processors_that_nifi_does_not_have_is_refused_by_name(
    target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(target)
    place = target.stack.root / "nifi_flows/fx_rates/flow.json"
    place.write_text(place.read_text(encoding="utf-8").replace('"1 min"', '"2 min"'), encoding="utf-8")
    monkeypatch.setattr(flow, "_UPGRADE_SECONDS", 0.3)
    target.nifi.lacking = [{TAKE}]
    with pytest.raises(PlatformError, match=f"the flow of tiny could not be deployed: NiFi does not offer {TAKE}"):
        deploy(target)
    assert target.nifi.done == []


def test_a_flow_that_is_as_it_should_be_is_not_asked_for_its_processors(target: FakeTarget) -> None:
    deploy(target)
    target.nifi.lacking = [{TAKE}]
    assert deploy(target) == "flow tiny: unchanged"


def test_the_switch_is_turned_on_and_off(target: FakeTarget) -> None:
    deploy(target)
    assert deploy(target, fetch=True) == "flow tiny: fetching switched on"
    assert target.nifi.states[SWITCH] == "RUNNING"
    assert deploy(target) == "flow tiny: fetching switched off"
    assert target.nifi.states[SWITCH] == "DISABLED"
    assert flow.flow_state(target, "tiny", Deadline(5)).running  # type: ignore[arg-type]


def test_parameters_left_by_a_deleted_flow_are_set_right(target: FakeTarget) -> None:
    deploy(target)
    target.nifi.group = None
    assert deploy(target) == "flow tiny: created and started"
    target.nifi.group = None
    assert target.nifi.context
    target.nifi.context.parameters.update({"first.column": Parameter("first.column", "old", ""), **OLD})
    deploy(target)
    assert target.nifi.context.parameters["first.column"].value == "Date"
    assert not set(OLD) & set(target.nifi.context.parameters)


def test_a_refusal_of_nifi_names_the_dataset(target: FakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Group:
        raise NiFiError("not now")

    monkeypatch.setattr(target.nifi, "upload", refuse)
    with pytest.raises(PlatformError, match="the flow of tiny could not be deployed: not now"):
        deploy(target)


def test_an_export_is_written_without_its_place(target: FakeTarget) -> None:
    deploy(target)
    place = flow.export_flow(target, "tiny", Deadline(5))  # type: ignore[arg-type]
    assert place == (target.stack.root / "nifi_flows/fx_rates/flow.json").resolve()
    assert place.read_text(encoding="utf-8") == (ROOT / "nifi_flows/fx_rates/flow.json").read_text(encoding="utf-8")


def landed(target: FakeTarget) -> None:
    flow.await_landed(target, "tiny", Deadline(0.3))  # type: ignore[arg-type]


def test_all_has_landed_when_nothing_is_left(target: FakeTarget) -> None:
    deploy(target)
    target.nifi.queues = [Queue("1", "a", "Fetch: ask the address", 1)]
    assert flow.await_landed(target, "tiny", Deadline(0.3)) == ""  # type: ignore[arg-type]


CONNECTED = {"nifi-0": "CONNECTED", "nifi-1": "CONNECTED"}
AWAY = {"nifi-0": "CONNECTED", "nifi-1": "DISCONNECTED"}


def test_a_node_that_comes_back_is_waited_for(target: FakeTarget) -> None:
    target.nifi.answering = 2
    target.nifi.nodes_seen = [AWAY, CONNECTED]
    assert deploy(target) == "flow tiny: created and started"
    target.nifi.nodes_seen = [AWAY, CONNECTED]
    assert deploy(target) == "flow tiny: unchanged"
    target.nifi.nodes_seen = [AWAY, CONNECTED]
    flow.await_landed(target, "tiny", Deadline(5))  # type: ignore[arg-type]


def test_nothing_is_deployed_while_a_node_is_away(target: FakeTarget) -> None:
    target.nifi.nodes_seen = [AWAY]
    with pytest.raises(PlatformError, match="not all nodes of NiFi are there: nifi-1 is DISCONNECTED"):
        flow.deploy_flow(target, "tiny", deadline=Deadline(0.3))  # type: ignore[arg-type]
    assert target.nifi.done == []


@pytest.mark.parametrize(
    ("refusal", "seen_then"),
    [("Node nifi-1:8480 is currently connecting", CONNECTED), ("no reason that we know", AWAY)],
)
def test_a_deployment_that_a_joining_node_stops_is_ended_when_it_has_joined(
    target: FakeTarget, monkeypatch: pytest.MonkeyPatch, refusal: str, seen_then: dict[str, str]
) -> None:
    target.nifi.answering = 2
    target.nifi.nodes_seen = [CONNECTED]
    set_comments, refusals = target.nifi.set_comments, [NiFiError(refusal)]

    def refuse_once(*words: Any) -> None:
        if refusals:
            target.nifi.nodes_seen = [seen_then, CONNECTED]
            raise refusals.pop()
        set_comments(*words)

    monkeypatch.setattr(target.nifi, "set_comments", refuse_once)
    assert deploy(target) == "flow tiny: created and started"
    assert refusals == []
    assert deploy(target) == "flow tiny: unchanged"


@pytest.mark.parametrize(
    ("nodes", "answering", "message"),
    [(AWAY, 1, "nifi-1 is DISCONNECTED"), (CONNECTED, 1, "1 of the 2 nodes of NiFi did not answer")],
)
def test_nothing_has_landed_while_a_node_may_hold_files(
    target: FakeTarget, nodes: dict[str, str], answering: int, message: str
) -> None:
    deploy(target)
    target.nifi.nodes_seen, target.nifi.answering = [nodes], answering
    with pytest.raises(PlatformError, match=message):
        landed(target)


def test_a_landing_folder_that_cannot_be_seen_is_looked_at_again(target: FakeTarget) -> None:
    deploy(target)
    looks = [PlatformError("no pod is ready", "wait")]

    def lying(_: str) -> Lying:
        if looks:
            raise looks.pop()
        return Lying([], [])

    target.lying = lying  # type: ignore[method-assign]
    flow.await_landed(target, "tiny", Deadline(5))  # type: ignore[arg-type]
    assert looks == []


def test_files_that_were_not_taken_are_named_with_the_newest_complaint_of_each_processor(target: FakeTarget) -> None:
    deploy(target)
    target.files = ["rates.csv"]
    target.nifi.told = [Bulletin(at, "ERROR", "Put into raw", f"away since {at}") for at in ("1", "2")]
    with pytest.raises(
        PlatformError, match=r"in the landing folder: rates\.csv\n  2 ERROR Put into raw: away since 2\n"
    ):
        landed(target)


def left(name: bytes, *, rested: bool = False, kind: str = "d", mark: str = "1 1") -> Left:
    return Left(Entry(name, kind, True, 0.0, 0.0, mark), f"'{name.decode()}' is a folder: land its files", rested)


def test_what_is_never_taken_is_not_waited_for_but_named_and_set_aside_after_a_while(target: FakeTarget) -> None:
    deploy(target)
    target.left = [left(b"young"), left(b"old", rested=True), left(b"fixed", rested=True, kind="?")]
    assert flow.await_landed(target, "tiny", Deadline(0.3)).splitlines() == [  # type: ignore[arg-type]
        "not taken: 'young' is a folder: land its files",
        "set aside as /aside/old: 'old' is a folder: land its files",
        "not taken: 'fixed' is a folder: land its files (it could not be set aside: Read-only file system: /landing)",
    ]
    assert target.aside == [b"old"]


def test_what_was_mended_while_it_was_to_be_set_aside_is_left(target: FakeTarget) -> None:
    deploy(target)
    target.left = [left(b"mended", rested=True, mark="gone")]
    told = flow.await_landed(target, "tiny", Deadline(0.3))  # type: ignore[arg-type]
    assert told == "not taken: 'mended' is a folder: land its files"


def test_a_folder_that_cannot_be_looked_at_once_more_fails_no_run(
    target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(target)

    def away(*_: object) -> list[str]:
        raise PlatformError("no pod is ready", "wait")

    monkeypatch.setattr(flow, "tidy", away)
    told = flow.await_landed(target, "tiny", Deadline(0.3))  # type: ignore[arg-type]
    assert told == "what is not taken cannot be looked at: no pod is ready"


def test_what_is_not_taken_stops_no_other_file_but_does_not_hide_one_that_waits(target: FakeTarget) -> None:
    deploy(target)
    target.left, target.files = [left(b"old", rested=True)], ["rates.csv"]
    with pytest.raises(PlatformError, match=r"in the landing folder: rates\.csv"):
        landed(target)
    assert target.aside == []


def test_what_waits_in_the_flow_is_named(target: FakeTarget) -> None:
    deploy(target)
    target.nifi.queues = [Queue("1", "a", "b", 2)]
    with pytest.raises(PlatformError, match="in the flow: 2 from 'a' to 'b'"):
        landed(target)


def test_a_flow_that_is_not_there_is_an_error(target: FakeTarget) -> None:
    with pytest.raises(PlatformError, match="NiFi has no process group tiny"):
        landed(target)


def test_two_groups_of_one_name_are_an_error(target: FakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target.nifi, "groups", lambda: [Group("1", "tiny"), Group("2", "tiny")])
    with pytest.raises(PlatformError, match="2 process groups named tiny"):
        deploy(target)
