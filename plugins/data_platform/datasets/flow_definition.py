"""What a dataset's flow is to be, and what must be done to a running one. Pure: files in, decisions out.

A definition (`nifi_flows/<dataset>/flow.json`) is what NiFi exports, without what is of one machine or one dataset.
Several datasets may use one definition; `parameters.yaml` of each says what differs.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from data_platform.clients.nifi import Definition, Parameter, Queue
from data_platform.stack.errors import PlatformError
from data_platform.stack.terms import Strict

#: Where datasets have their flows, and what each says of its own.
FLOWS, FLOW = "nifi_flows", "parameters.yaml"
#: Processors whose names begin so bring data in from elsewhere. What waits before them is a wish, not data.
FETCH = "Fetch: "
#: States of a processor that can be started; one that is invalid is, once its parameters are right.
RESTING = ("STOPPED", "INVALID", "VALIDATING")
_MARK = re.compile(r"\n?\[definition (?P<definition>[0-9a-f]{16}), deployed as (?P<deployed>[0-9a-f]{16})\]")
#: Keys of an export that differ between two NiFis that run the same flow, or that say nothing.
_OF_ONE_NIFI = ("instanceIdentifier", "scheduledState", "groupIdentifier")


class FlowSettings(Strict):
    """`parameters.yaml`: what a dataset tells its flow."""

    definition: str = Field("flow.json", description="The flow definition, seen from this file.")
    fetch: bool = Field(False, description="Whether the flow fetches the data itself, on its schedule.")
    parameters: dict[str, Annotated[str, BeforeValidator(str)]] = Field(
        description="Values of the flow's parameters, none of them secret; the platform adds its folders and name."
    )


class Wanted(NamedTuple):
    """A flow as it is to be."""

    dataset: str
    definition: Definition
    digest: str
    parameters: dict[str, Parameter]
    fetch: bool


class Seen(NamedTuple):
    """A flow as it is. `group` is None where there is none."""

    group: str | None = None
    comments: str = ""
    #: Digest of what NiFi exports.
    deployed: str = ""
    #: Ids of its connections by the definition's identifiers.
    connections: Mapping[str, str] = {}
    queues: tuple[Queue, ...] = ()
    parameters: Mapping[str, Parameter] = {}
    #: State of each processor by its name.
    processors: Mapping[str, str] = {}


class Decision(NamedTuple):
    """What must be done, in this order."""

    create: bool
    replace: str
    #: To be set.
    parameters: tuple[Parameter, ...]
    #: Names of parameters to be removed: the flow does not declare them (any more).
    obsolete: tuple[str, ...]
    #: None: the switch is as it should be.
    fetch: bool | None
    start: bool

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be."""
        todo = self.create or self.replace or self.parameters or self.obsolete or self.start
        return not todo and self.fetch is None


def load(root: Path, dataset: str) -> tuple[Definition, FlowSettings]:
    """Read a dataset's definition and parameters.

    Raises:
        PlatformError: a file is missing or wrong; the message names it.
    """
    path = root / FLOWS / dataset / FLOW
    try:
        settings = FlowSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        place = path.parent / settings.definition
        definition: Definition = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PlatformError(f"{error.filename} is missing", f"see {FLOWS}/README.md for what a dataset has") from None
    except (ValidationError, yaml.YAMLError) as error:
        raise PlatformError(f"{path}: {error}", "correct the file") from None
    except ValueError as error:
        raise PlatformError(f"{place}: {error}", "export the flow from NiFi again") from None
    if "flowContents" not in definition:
        raise PlatformError(f"{place} is no flow definition", "export the flow from NiFi again")
    return definition, settings


def canonical(definition: Definition) -> Definition:
    """A definition without what is of one machine, one dataset or one moment, in an order that makes short diffs."""
    flow = _cleaned(definition["flowContents"])
    flow |= {"name": "dataset", "parameterContextName": "dataset", "position": {"x": 0.0, "y": 0.0}}
    flow["comments"] = _MARK.sub("", flow.get("comments") or "")
    for processor in flow["processors"]:
        processor["properties"] = {k: v for k, v in processor["properties"].items() if v is not None}
        described = processor.pop("propertyDescriptors", {})
        if special := {k: v for k, v in described.items() if _is_special(v) and k in processor["properties"]}:
            processor["propertyDescriptors"] = special
    for connection in flow["connections"]:
        for end in ("source", "destination"):
            connection[end].pop("comments", None)
    flow["processors"].sort(key=lambda p: p["name"])
    flow["connections"].sort(key=lambda c: (c["source"]["name"], c["destination"]["name"], c["selectedRelationships"]))
    flow["labels"].sort(key=lambda label: label["label"])
    declared = _declared(definition).values()
    parameters = [
        {"name": p["name"], "description": p.get("description") or "", "sensitive": bool(p["sensitive"])}
        for p in declared
    ]
    context = {"name": "dataset", "componentType": "PARAMETER_CONTEXT", "inheritedParameterContexts": []}
    return {
        "flowContents": flow,
        "flowEncodingVersion": definition.get("flowEncodingVersion", "1.0"),
        "parameterContexts": {"dataset": {**context, "parameters": sorted(parameters, key=lambda p: str(p["name"]))}},
    }


def _is_special(descriptor: Mapping[str, Any]) -> bool:
    return bool(descriptor.get("identifiesControllerService") or descriptor.get("sensitive"))


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _cleaned(v) for k, v in value.items() if k not in _OF_ONE_NIFI}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return copy.copy(value)


def _declared(definition: Definition) -> dict[str, dict[str, Any]]:
    """The parameters that a definition has, by name."""
    contexts = definition.get("parameterContexts") or {}
    return {p["name"]: p for context in contexts.values() for p in context["parameters"]}


def digest(definition: Definition) -> str:
    """Short digest of a flow, whatever NiFi or dataset the definition was exported from; parameters do not count."""
    flow = canonical(definition)["flowContents"]
    return hashlib.sha256(json.dumps(flow, sort_keys=True).encode()).hexdigest()[:16]


def wanted(root: Path, dataset: str, given: Mapping[str, str], *, fetch: bool | None = None) -> Wanted:
    """The flow of a dataset as its files and the platform say.

    Args:
        root: the checkout.
        dataset: name.
        given: names and folders that the platform knows, by the parameter's name.
        fetch: the switch; None for what the file says.

    Raises:
        PlatformError: a file is missing or wrong, a parameter has no value, a value no parameter, or the flow wants a
            secret.
    """
    definition, settings = load(root, dataset)
    where = f"{FLOWS}/{dataset}/{FLOW}"
    declared = _declared(definition)
    values = {**settings.parameters, **given}
    if hidden := sorted(name for name, entry in declared.items() if entry["sensitive"]):
        raise PlatformError(
            f"the flow of {dataset} wants {', '.join(hidden)} as a secret; no secret goes through a flow",
            "put objects with PutObjectS3, which has NiFi's own key; for other servers see NiFi's image/README.md",
        )
    if both := sorted(set(settings.parameters) & set(given)):
        raise PlatformError(f"{where} sets {', '.join(both)}, which the platform sets", "remove it there")
    if missing := sorted(set(declared) - set(values)):
        raise PlatformError(f"{where} gives no value to {', '.join(missing)}", "add it below `parameters`")
    if unknown := sorted(set(settings.parameters) - set(declared)):
        raise PlatformError(
            f"{where} sets {', '.join(unknown)}, which the flow does not have",
            f"use one of {', '.join(sorted(declared))}",
        )
    parameters = {
        name: Parameter(name, values[name], str(entry.get("description") or "")) for name, entry in declared.items()
    }
    return Wanted(dataset, definition, digest(definition), parameters, settings.fetch if fetch is None else fetch)


def prepared(flow: Wanted) -> Definition:
    """What NiFi is given: the definition under the dataset's name, with its values."""
    made = canonical(flow.definition)
    made["flowContents"] |= {"name": flow.dataset, "parameterContextName": flow.dataset}
    for processor in made["flowContents"]["processors"]:
        # NiFi wants one for each property, though it says nothing.
        plain = {
            k: {"name": k, "displayName": k, "identifiesControllerService": False, "sensitive": False, "dynamic": False}
            for k in processor["properties"]
        }
        processor["propertyDescriptors"] = plain | processor.get("propertyDescriptors", {})
    (context,) = made["parameterContexts"].values()
    context["name"] = flow.dataset
    for entry in context["parameters"]:
        entry["value"] = flow.parameters[entry["name"]].value
    made["parameterContexts"] = {flow.dataset: context}
    return made


def marked(flow: Wanted, deployed: str) -> str:
    """Comments of a group that was deployed: those of the definition, and by what one sees that nothing has changed.

    Args:
        flow: what was deployed.
        deployed: digest of what NiFi exports of it.
    """
    text = canonical(flow.definition)["flowContents"]["comments"]
    return f"{text}\n[definition {flow.digest}, deployed as {deployed}]"


def decide(flow: Wanted, seen: Seen) -> Decision:
    """What must be done so that a flow is as wanted.

    Raises:
        PlatformError: a connection that the definition no longer has holds flow files.
    """
    if seen.group is None:
        return Decision(create=True, replace="", parameters=(), obsolete=(), fetch=flow.fetch, start=True)
    reason = _why_replace(flow, seen)
    if reason:
        _refuse_loss(flow, seen)
    switches = switch_names(flow.definition)
    switched = all((state != "DISABLED") == flow.fetch for name, state in seen.processors.items() if name in switches)
    fetch = None if switched and not reason else flow.fetch
    resting = any(state in RESTING for name, state in seen.processors.items() if flow.fetch or name not in switches)
    return Decision(
        create=False,
        replace=reason,
        parameters=changed_parameters(flow, seen.parameters),
        obsolete=obsolete_parameters(flow, seen.parameters),
        fetch=fetch,
        start=bool(reason) or resting or bool(fetch),
    )


def told(decision: Decision) -> str:
    """What was done, for people."""
    if decision.nothing:
        return "unchanged"
    if decision.create:
        return "created and started"
    done = [f"upgraded: {decision.replace}"] if decision.replace else []
    if decision.parameters:
        done.append(f"parameters set: {', '.join(p.name for p in decision.parameters)}")
    if decision.obsolete:
        done.append(f"parameters removed: {', '.join(decision.obsolete)}")
    if decision.fetch is not None and not decision.replace:
        done.append(f"fetching switched {'on' if decision.fetch else 'off'}")
    if decision.start and not done:
        done.append("started")
    return "; ".join(done)


def changed_parameters(flow: Wanted, there: Mapping[str, Parameter]) -> tuple[Parameter, ...]:
    """Parameters that must get another value."""
    return tuple(p for name, p in flow.parameters.items() if _differs(p, there.get(name)))


def obsolete_parameters(flow: Wanted, there: Mapping[str, Parameter]) -> tuple[str, ...]:
    """Names of parameters that the flow does not declare: flows of earlier versions held the store's key."""
    return tuple(sorted(set(there) - set(flow.parameters)))


def _why_replace(flow: Wanted, seen: Seen) -> str:
    mark = _MARK.search(seen.comments)
    if mark is None:
        return "it was not deployed to its end"
    if mark["definition"] != flow.digest:
        return f"its definition changed ({mark['definition'][:8]} to {flow.digest[:8]})"
    if mark["deployed"] != seen.deployed:
        return "it was changed by hand in NiFi"
    return ""


def _refuse_loss(flow: Wanted, seen: Seen) -> None:
    kept = {connection["identifier"] for connection in flow.definition["flowContents"]["connections"]}
    gone = {instance for identifier, instance in seen.connections.items() if identifier not in kept}
    held = [q for q in seen.queues if q.id in gone and q.flow_files]
    if held:
        named = "; ".join(f"{q.flow_files} from '{q.source}' to '{q.destination}'" for q in held)
        raise PlatformError(
            f"the new definition of {flow.dataset} has no place for flow files that wait: {named}",
            "let the present flow work them off (see its bulletins in NiFi), then deploy again",
        )


def _differs(parameter: Parameter, there: Parameter | None) -> bool:
    return there != parameter


def kinds(definition: Definition) -> set[str]:
    """Class names of its processors."""
    return {processor["type"] for processor in definition["flowContents"]["processors"]}


def switch_names(definition: Definition) -> set[str]:
    """Names of the processors that the fetch switch turns on and off: those of `FETCH` that nothing leads to."""
    flow = definition["flowContents"]
    fed = {connection["destination"]["name"] for connection in flow["connections"]}
    return {p["name"] for p in flow["processors"] if p["name"].startswith(FETCH) and p["name"] not in fed}


def waiting(queues: Iterable[Queue]) -> list[Queue]:
    """Queues that hold data; a wish to fetch is none."""
    return [q for q in queues if q.flow_files and not q.destination.startswith(FETCH)]
