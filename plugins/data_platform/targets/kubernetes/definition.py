"""A component's definition as Kubernetes takes it: values of its chart, and its Secrets. Pure."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import yaml

from data_platform.stack.bindings import Bindings
from data_platform.stack.definition import ChartReference, Job, Process, Ready, Tool
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets import trust
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.render import render, rendered_files

Object = dict[str, Any]
#: Separates folders in a key of a Secret, where `/` may not be.
_FOLDER = ".."
#: What `files` says where a process is given all of them.
_ALL_FILES = ("*",)
#: So much of a digest ends the name of a Secret that is never overwritten.
SHORT = 10


class Content(NamedTuple):
    """Content of one Secret, by key.

    Attributes:
        name: what the component calls it, whatever it holds.
        data: what it holds.
    """

    name: str
    data: dict[str, bytes]

    @property
    def stored(self) -> str:
        """Name of the Secret that holds exactly this: other content has another name, and overwrites nothing."""
        return f"{self.name}-{self.digest[:SHORT]}"

    @property
    def digest(self) -> str:
        """Of names and content."""
        return digest([[key, hashlib.sha256(self.data[key]).hexdigest()] for key in sorted(self.data)])


def digest(thing: object) -> str:
    """Of anything that JSON can say."""
    return hashlib.sha256(json.dumps(thing, sort_keys=True).encode()).hexdigest()


def chart_files(root: Path, *places: Path) -> list[list[str]]:
    """Name and content of each file of a chart; of a file that is no text, its digest.

    Args:
        root: a folder around all of it; names are below it.
        places: folders with all that is in them, and files, such as a packed chart.
    """
    found = [p for place in places for p in (place.rglob("*") if place.is_dir() else [place])]
    return [[str(p.relative_to(root)), _content(p)] for p in sorted(p for p in found if p.is_file())]


def _content(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError:
        # A packed chart among its dependencies, or a picture.
        return f"sha256:{hashlib.sha256(content).hexdigest()}"


def etc_files(item: Loaded, values: Mapping[str, Any]) -> dict[str, bytes]:
    """Configuration files of a component: those of both targets, and those of this one (`etc-kubernetes/`).

    Args:
        item: the component.
        values: its bindings, secrets too, and those for whom it makes something (`stack.bindings.granted`).
    """
    return {**rendered_files(item.folder / "etc", values), **rendered_files(item.folder / "etc-kubernetes", values)}


def etc_secret(component: str, files: Mapping[str, bytes]) -> Content:
    """The Secret that holds the configuration files."""
    return Content(f"{component}-etc", {path.replace("/", _FOLDER): content for path, content in files.items()})


def etc_of(item: Loaded, name: str, spec: Process | Job, files: Mapping[str, bytes]) -> Content | None:
    """The Secret with those files that a process or a job is given; None where it is given all of the component's."""
    if spec.files == _ALL_FILES:
        return None
    wanted = (*spec.files, trust.CA)
    return etc_secret(f"{item.name}-{name}", {path: files[path] for path in files if _is_one_of(path, wanted)})


def environment_secret(item: Loaded, name: str, spec: Process | Job | Tool, values: Bindings) -> Content:
    """The Secret that holds the whole environment of a process, of a job, or of a pod that a tool has made."""
    where = f"{item.folder}: {name}"
    own = {key: render(text, values.all, f"{where}: {key}") for key, text in spec.environment.items()}
    # The chart sets NODE_ADDRESS from the pod's own address.
    found = {**values.open, **own, "HOME": own.get("HOME", str(places.DATA))}
    del found["NODE_ADDRESS"]
    return Content(f"{item.name}-{name}", {key: value.encode() for key, value in found.items()})


def stored_object(stack: Stack, component: str, content: Content, platform: str = "") -> Object:
    """A Secret that is never overwritten, as the API takes it."""
    found = secret_object(stack, component, content._replace(name=content.stored), platform)
    return {**found, "immutable": True}


def facet_secrets(item: Loaded) -> list[Content]:
    """The Secrets that objects of the component's facets refer to."""
    return [
        Content(f"{item.name}-{end}", {key: value.encode() for key, value in content.items()})
        for side in item.component.facets.values()
        for end, content in side.secrets().items()
    ]


def secret_object(stack: Stack, component: str, content: Content, platform: str = "") -> Object:
    """A Secret as the API takes it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": content.name,
            "namespace": places.namespace(stack, component),
            "labels": places.labels(stack, component, platform=platform),
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in content.data.items()},
    }


def content_of(secret: Mapping[str, Any]) -> Content:
    """What a Secret holds."""
    data = {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
    return Content(str(secret["metadata"]["name"]), data)


def facts(item: Loaded) -> Object:
    """What the component's chart is told of it on any cluster."""
    component = item.component
    return {
        "component": item.name,
        "part": item.part,
        "version": component.version,
        "endpoints": {name: {"port": spec.port} for name, spec in component.endpoints.items()},
        "resources": {
            "cpu": component.resources.cpu,
            "memoryMi": component.resources.memory_mib,
            "storageMi": component.resources.storage_mib,
        },
    }


def value_bindings(item: Loaded, paths: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """Bindings that are values of the component's chart.

    Args:
        item: the component.
        paths: of the values, by binding.
        values: of its chart in the platform's size.

    Raises:
        PlatformError: there is no such value.
    """
    found = {}
    for name, path in paths.items():
        value: Any = {**facts(item), **values}
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None or isinstance(value, Mapping | list):
            raise PlatformError(
                f"{item.folder / 'kubernetes.yaml'}: bindings.{name}: the chart has no single value {path}",
                "correct the path, or give the value in chart/values.yaml or values.<size>.yaml",
            )
        found[name] = str(value)
    return found


def chart_values(item: Loaded, settings: Settings, values: Mapping[str, str], secrets: Mapping[str, Content]) -> Object:
    """What the component's chart is told, apart from the size. Holds no secret.

    Args:
        item: the component.
        settings: of the platform.
        values: the component's bindings.
        secrets: its Secrets by what it calls them; the names under which they are stored roll what uses them.
    """
    etc = secrets.get(f"{item.name}-etc")
    found: Object = {
        **facts(item),
        # All of them, also those that no object of the release names: who asks what a revision needs reads this.
        "secrets": {name: content.stored for name, content in secrets.items()},
        "etc": None,
        "processes": {
            name: {
                **_runs(item, name, process, values, secrets),
                "stopSeconds": process.stop_seconds,
                "ready": _probe(process.ready, values, f"{item.folder}: {name}: ready"),
                "directory": render(process.directory, values, f"{item.folder}: {name}: directory"),
            }
            for name, process in item.definition.processes.items()
        },
        "jobs": {
            name: {**_runs(item, name, job, values, secrets), "within": int(job.within)}
            for name, job in item.definition.jobs.items()
        },
        "storageClass": settings.storage_class,
        **item.given,
    }
    for side in item.component.facets.values():
        found |= side.chart(item, {end: secrets[f"{item.name}-{end}"].name for end in side.secrets()})
    if item.kubernetes and item.kubernetes.image:
        found["image"] = {"reference": settings.image(item.name), "pullPolicy": "IfNotPresent"}
    if etc and etc.data:
        found["etc"] = _mounted(etc)
    return found


def chart_source(root: Path, chart: ChartReference) -> tuple[str, tuple[str, ...]]:
    """How helm finds a chart of the field's own: the chart, and the arguments that go with it."""
    version = ("--version", chart.version)
    if chart.repository.startswith("oci://"):
        return f"{chart.repository.rstrip('/')}/{chart.name}", version
    if "://" in chart.repository:
        return chart.name, ("--repo", chart.repository, *version)
    return str(root / chart.repository / chart.name), ()


def field_values(
    item: Loaded, chart: ChartReference, values: Mapping[str, str], secrets: Mapping[str, Content]
) -> Object:
    """What a chart of the field's own is told: its file, filled with the bindings and names of Secrets; no secrets.

    The Secret `<component>-server` is SECRET_SERVER there, and the component's version VERSION.
    """
    names = {_binding(name.removeprefix(item.name)): content.stored for name, content in secrets.items()}
    known = {**values, **names, "VERSION": item.component.version}
    path = item.folder / chart.values
    found: Object = yaml.safe_load(_filled(path, known)) or {}
    return found


def _filled(path: Path, known: Mapping[str, str]) -> str:
    return render(path.read_text(encoding="utf-8"), known, str(path), file=path.stem)


def _binding(name: str) -> str:
    return f"SECRET{name.replace('-', '_').upper()}"


def _runs(
    item: Loaded, name: str, spec: Process | Job, values: Mapping[str, str], secrets: Mapping[str, Content]
) -> Object:
    command = [render(word, values, f"{item.folder}: {name}") for word in spec.command]
    found: Object = {"command": command, "environmentSecret": secrets[f"{item.name}-{name}"].stored}
    if own := secrets.get(f"{item.name}-{name}-etc"):
        found["etc"] = _mounted(own)
    return found


def _is_one_of(path: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in globs)


def _path(key: str) -> str:
    """Path below ETC of a key of the Secret."""
    return key.replace(_FOLDER, "/")


def _mounted(etc: Content) -> Object:
    return {"secret": etc.stored, "items": [{"key": key, "path": _path(key)} for key in sorted(etc.data)]}


def _probe(ready: Ready, values: Mapping[str, str], where: str) -> Object:
    """How kubelet sees that a process takes requests; what the page must contain is seen by `wait`."""
    within = int(ready.within)
    if ready.http is not None:
        url = urlsplit(render(ready.http, values, where))
        path = url.path + (f"?{url.query}" if url.query else "")
        # Kubelet asks for no certificate's authority.
        tls = {"scheme": "HTTPS"} if url.scheme == "https" else {}
        return {"http": {"port": url.port, "path": path or "/", **tls}, "within": within}
    return {"command": [render(word, values, where) for word in ready.command or ()], "within": within}
