"""What components see in a cluster: addresses, credentials, bindings, files, Secrets; what releases are made from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from data_platform.checks.base import Address
from data_platform.clients.kubernetes import Cluster
from data_platform.stack import entrance
from data_platform.stack.bindings import Bindings, Places, bindings, listed
from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.stack.definition import Job, Process, Tool
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import holder as holder_of
from data_platform.stack.holders import holders
from data_platform.stack.load import KUBERNETES
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets import trust
from data_platform.targets.kubernetes import (
    checkout,
    credentials,
    grants,
    mounts,
    needs,
    places,
    pods,
    releases,
    tools,
)
from data_platform.targets.kubernetes.definition import (
    Content,
    chart_files,
    chart_source,
    chart_values,
    digest,
    environment_secret,
    etc_files,
    etc_of,
    etc_secret,
    facet_secrets,
    field_values,
    value_bindings,
)
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.render import render


class ClusterContext:
    """A platform's namespaces, as components see them.

    Args:
        stack: the platform.
        settings: what it was asked to be.
        cluster: client of its API server.
        helm: program for its releases.
        inside: whether this process is a pod of the cluster; outside, addresses are forwarded ports.
        authorities: outside, the file of the certificates in the settings.
    """

    name = KUBERNETES

    def __init__(
        self,
        stack: Stack,
        settings: Settings,
        cluster: Cluster,
        helm: releases.Helm,
        *,
        inside: bool,
        authorities: Path | None = None,
    ) -> None:
        self.stack = stack
        self.settings = settings
        self.cluster = cluster
        self.helm = helm
        self.inside = inside
        #: See `Target`.
        self.authorities = authorities
        self.retention = settings.retention
        if inside and settings.authorities:
            # In the pods of Airflow's servers, and in those of its tasks.
            self.authorities = Path(places.ETC / places.orchestrator(stack) / trust.CA)
        self._forwards = ExitStack()
        self._forwarded: dict[tuple[str, str], Address] = {}
        self._known: dict[str, Mapping[str, str]] = {}

    def close(self) -> None:
        """Give forwarded ports back."""
        self._forwards.close()
        self._forwarded.clear()

    def _item(self, component: str) -> Loaded:
        return self.stack.components[self.stack.resolve(component)]

    def _namespace(self, component: str) -> str:
        return places.namespace(self.stack, component)

    def namespace(self, component: str) -> str:
        """See `checks.objects.OnCluster`."""
        return self._namespace(component)

    def scratch_pod(self, name: str, script: str, volumes: Mapping[str, str]) -> dict[str, Any]:
        """See `checks.objects.OnCluster`: in the orchestrator's namespace and of its image, which nodes have."""
        return pods.scratch_pod(self.stack, self.settings, name, script, volumes)

    def address(self, component: str, endpoint: str) -> Address:
        """See `Target`."""
        internal = self.internal_address(component, endpoint)
        if self.inside:
            return internal
        item = self._item(component)
        known = self._forwarded.get((item.name, endpoint))
        if known is None:
            spec = item.component.endpoints[endpoint]
            forward = self._forwards.enter_context(
                self.cluster.port_forward(item.name, self._namespace(item.name), spec.port)
            )
            url = f"{spec.scheme}://{forward.host}:{forward.port}"
            known = self._forwarded[item.name, endpoint] = Address(forward.host, forward.port, url)
        return known

    def internal_address(self, component: str, endpoint: str) -> Address:
        """See `Target`."""
        item = self._item(component)
        if endpoint not in item.component.endpoints:
            raise PlatformError(
                f"{item.name} has no endpoint {endpoint!r}", f"use one of: {', '.join(item.component.endpoints)}"
            )
        return Address(*places.service_address(self.stack, item.name, endpoint))

    def public_url(self, component: str, endpoint: str) -> str:
        """See `Target`: without an entrance the port to which `python3 -m bootstrap forward` leads."""
        item = self._item(component)
        entrance.refuse_strangers(self.stack, item.name, endpoint)
        if self.settings.domain:
            return f"https://{entrance.host(item.name, self.settings.domain)}"
        spec = item.component.endpoints[endpoint]
        return f"{spec.scheme}://{places.LOOPBACK}:{spec.port}"

    def credentials(self, holder: str) -> Mapping[str, str]:
        """See `Target`."""
        name = holder_of(self.stack, holder).name
        # A pod that was given them may not ask; when they change, its place is taken by another one.
        if self.inside and (given := mounts.given(name)) is not None:
            return given
        if name not in self._known:
            self._known[name] = credentials.read(self.cluster, self.stack, name)
        return self._known[name]

    def ensure_credentials(self) -> None:
        """See `Target`."""
        for name in holders(self.stack):
            self._known[name] = credentials.ensure(self.cluster, self.stack, name, self.settings.platform)

    def stage(self, holder: str, key: str) -> str:
        """See `Target`."""
        self._known.pop(holder, None)
        return credentials.stage(self.cluster, self.stack, holder, key, self.settings.platform)

    def promote(self, holder: str, key: str) -> None:
        """See `Target`."""
        credentials.promote(self.cluster, self.stack, holder, key, self.settings.platform)
        self._known.pop(holder, None)

    def bindings(self, component: str) -> Bindings:
        """Bindings of a component, as its pods see the world."""
        item = self._item(component)
        found = {
            **{f"ARTIFACT_{n.upper()}": home for n, home in self._artifact_homes(item).items()},
            "BIND": places.ANY_ADDRESS,
            "NODE_ADDRESS": "",
            "NAMESPACE": self._namespace(item.name),
            "ETC": str(places.ETC / item.name),
            "DATA": str(places.DATA),
            "TMPDIR": str(places.TMP),
            "LOGS": str(places.LOGS),
            "ROOT": str(places.ROOT),
            "PLATFORM_PYTHON": places.PYTHON,
            **trust.binding(self.settings.authorities, str(places.ETC / item.name)),
        }
        if item.service:
            found["SERVED_NAMESPACES"] = ",".join(grants.served(self.stack, item))
        if item.kubernetes and item.kubernetes.runs_tasks:
            found["SETTINGS"] = self.settings.model_dump_json()
        if item.kubernetes and (item.kubernetes.runs_tasks or item.kubernetes.pods):
            found["IMAGE"] = self.settings.image(item.name)
        if item.kubernetes and item.kubernetes.bindings:
            found |= value_bindings(item, item.kubernetes.bindings, needs.values_of(item, self.settings.size))
        return bindings(self.stack, item.name, self._places, self.credentials).with_open(found)

    @property
    def _places(self) -> Places:
        return Places(lambda c, e: places.service_address(self.stack, c, e), self.public_url)

    def _artifact_homes(self, item: Loaded) -> dict[str, str]:
        specs = {name: self.stack.toolchains[name] for name in item.definition.toolchains}
        specs |= item.definition.artifacts
        return {name: places.artifact_home(name, spec) for name, spec in specs.items()}

    def _git_sync(self) -> checkout.GitSync | None:
        airflow = self.stack.provider(ORCHESTRATOR)
        return (
            checkout.git_sync(needs.values_of(self.stack.components[airflow], self.settings.size)) if airflow else None
        )

    def _tasks(self) -> pods.Tasks:
        item, values = self._item(ORCHESTRATOR), self.bindings(ORCHESTRATOR).open
        said = {**item.definition.environment, **(item.kubernetes.task_environment if item.kubernetes else {})}
        environment = {key: render(text, values, f"{item.folder}: {key}") for key, text in said.items()}
        stored = {content.name: content.stored for content in self._of_tasks(self._files(item))}
        submitters = needs.submitters(self.stack, self.settings.size)
        return pods.Tasks(environment, submitters, self._git_sync(), stored.__getitem__)

    def _of_tasks(self, files: Mapping[str, bytes]) -> list[Content]:
        """Secrets that pods of Airflow's tasks and pages mount; out of Airflow's configuration files."""
        given = {name: files[name] for name in (pods.CONFIGURATION, trust.CA) if name in files}
        return pods.secrets(self.stack, self.credentials, given)

    def _files(self, item: Loaded) -> dict[str, bytes]:
        """Configuration files of a component without templates of pods, which name the Secrets with these."""
        values = {**self.bindings(item.name).all, **listed(self.stack, item.name, self._places, self.credentials)}
        of_trust = {trust.CA: self.settings.authorities.encode()} if self.settings.authorities else {}
        return etc_files(item, values) | of_trust

    def etc(self, component: str) -> dict[str, bytes]:
        """Configuration files of a component, by path below its `ETC`."""
        item = self._item(component)
        files = self._files(item)
        stored = {content.name: content.stored for content in self._made(item, files)}
        values, git = self.bindings(item.name).open, self._git_sync()
        templates = pods.made(self.stack, self.settings, item, values, git=git, stored=stored.__getitem__)
        if item.kubernetes and item.kubernetes.runs_tasks:
            templates |= pods.templates(self.stack, self.settings, self._tasks())
        return files | {f"pods/{n}.yaml": yaml.safe_dump(pod, sort_keys=True).encode() for n, pod in templates.items()}

    def _made(self, item: Loaded, files: Mapping[str, bytes]) -> list[Content]:
        """Secrets with the environments and the files of a component's processes, jobs, and pods of its tools."""
        values = self.bindings(item.name)
        own: dict[str, Process | Job] = {**item.definition.jobs, **item.definition.processes}
        specs: dict[str, Process | Job | Tool] = {**own}
        if item.kubernetes:
            specs |= {name: tools.refuse_unknown(item, pod.tool) for name, pod in item.kubernetes.pods.items()}
        made = [environment_secret(item, name, spec, values) for name, spec in specs.items()]
        made += facet_secrets(item)
        made += [found for name, spec in own.items() if (found := etc_of(item, name, spec, files))]
        return [*made, *([etc_secret(item.name, files)] if specs else [])]

    def _secrets(self, item: Loaded) -> dict[str, Content]:
        """Secrets of a component by what it calls them."""
        if item.kubernetes and item.kubernetes.runs_tasks:
            # Its servers read the templates of tasks as files.
            files = self.etc(item.name)
            made = [*self._made(item, files), *self._of_tasks(files)]
        else:
            made = self._made(item, self._files(item))
        return {content.name: content for content in made if content.data}

    def _release(self, item: Loaded) -> releases.Release:
        """What the release of a component is made from."""
        # Part of the digest only where the environment says something, or the cluster has more kinds than its own.
        said: list[object] = [item.values] if item.values else []
        optional = (kind for side in item.component.facets.values() for kind in side.optional_objects)
        said += [list(kind) for kind in optional if self.cluster.knows(*kind)]
        if item.kubernetes and (field := item.kubernetes.chart):
            found = field_values(item, field, self.bindings(item.name).open, self._secrets(item))
            which, source = chart_source(self.stack.root, field)
            # A folder, or an archive, of the checkout has no version that would change with it.
            files = [] if source else chart_files(Path(which).parent, Path(which))
            made_from = releases.short(digest([which, source, files, found, *said]))
            return releases.Release(
                item.name, self._namespace(item.name), which, found, (), made_from, source, over=item.values
            )
        values = chart_values(item, self.settings, self.bindings(item.name).open, self._secrets(item))
        told = needs.values_of(item, self.settings.size)
        values |= checkout.chart_values(told, pods.security(self.stack)["container"])
        sizes = tuple(p for p in [item.folder / f"values.{self.settings.size}.yaml"] if p.exists())
        root, chart = self.stack.root, item.folder / "chart"
        library = root / "stack" / "charts" / "platform"
        texts = [*chart_files(root, chart, library), *chart_files(root, *sizes)]
        made_from = releases.short(digest([texts, values, *said]))
        return releases.Release(
            item.name, self._namespace(item.name), chart, values, sizes, made_from, over=item.values
        )
