"""The `kubernetes` target: Secrets, Helm releases, pods."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from data_platform.checks.base import Deadline, ToolCommand, ToolResult
from data_platform.clients.commands import run_to_end
from data_platform.clients.kubernetes_errors import FORBIDDEN, ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.stack.plan import Resource, Seen, Step
from data_platform.targets import claims
from data_platform.targets.kubernetes import (
    configuration,
    credentials,
    guard_rails,
    needs,
    ownership,
    places,
    pods,
    releases,
    rollout,
    tools,
)
from data_platform.targets.kubernetes.context import ClusterContext
from data_platform.targets.kubernetes.definition import Content
from data_platform.targets.kubernetes.inventory import lists_cut
from data_platform.targets.kubernetes.needs import Asked
from data_platform.targets.kubernetes.sizes import Paper

_IMAGE = "image"
#: Kubelet reports its node's images every ten seconds.
_IMAGE_SECONDS = 60.0


class KubernetesTarget(ClusterContext):
    """Runs the components of a stack as Helm releases."""

    # --- wanted ---------------------------------------------------------------------------------------------------

    def wanted(self, component: str) -> list[Resource]:
        """See `Target`."""
        item = self._item(component)
        found: list[Resource] = []
        if not item.is_deployed:
            return found
        if item.kubernetes and item.kubernetes.image:
            found.append(Resource(kind="artifact", name=_IMAGE, digest=self.settings.image(item.name)))
        found += credentials.wanted(self.stack, item.name)
        found += [Resource(kind="secret", name=n, digest=c.digest) for n, c in self._secrets(item).items()]
        found += claims.wanted(self, item.name)
        if item.has_chart:
            found.append(Resource(kind="release", name=item.name, digest=self._release(item).digest))
        return found

    # --- observe --------------------------------------------------------------------------------------------------

    def observe(self, component: str) -> list[Seen]:
        """See `Target`."""
        item = self._item(component)
        found: list[Seen] = []
        if not item.is_deployed:
            return found
        if item.kubernetes and item.kubernetes.image and self._has_image(self.settings.image(item.name)):
            found.append(Seen(kind="artifact", name=_IMAGE, digest=self.settings.image(item.name)))
        kept = configuration.there(self.cluster, self.stack, item.name)
        found += credentials.observe(self.stack, item.name, kept)
        needed = configuration.needed_of(self.cluster, self.stack, item.name, kept)
        found += configuration.observe([*self._secrets(item).values()], kept, needed)
        found += claims.observe(self, item.name)
        if item.has_chart and (seen := self._observe_release(item)):
            found.append(seen)
        return found

    def _has_image(self, reference: str) -> bool:
        """Whether nodes have an image that no registry serves; one that names a registry is pulled when needed.

        A node that lists as many images as it is told to may have it too; a pod that cannot start says otherwise.
        """
        if not reference.startswith("localhost/"):
            return True
        nodes = self.cluster.list_objects("v1", "Node")
        listed = (image for node in nodes for image in node["status"].get("images") or [])
        return any(reference in image.get("names", []) for image in listed) or any(map(lists_cut, nodes))

    def _observe_release(self, item: Loaded) -> Seen | None:
        here = self._namespace(item.name)
        record = releases.newest(self.cluster, item.name, here)
        if record is None or record.status == "uninstalled":
            return None
        notes = [] if record.status == "deployed" else [f"its release is {record.status}"]
        # Who looks by applying must be one who may.
        closed = self.inside and item.service is not None and item.service.is_privileged
        notes += [] if closed else releases.drift(self.cluster, record, here)
        notes += rollout.unready(self.cluster, item.name, here)
        return Seen(kind="release", name=item.name, digest=record.digest, healthy=not notes, note="; ".join(notes))

    def processes(self, component: str) -> dict[str, str]:
        """See `Target`."""
        item = self._item(component)
        if not item.is_deployed:
            return {}
        return rollout.states(self.cluster, item.name, self._namespace(item.name))

    def condition(self, component: str) -> str:
        """See `Target`."""
        item = self._item(component)
        if not item.definition.processes:
            image = item.kubernetes.image if item.kubernetes else None
            return "installed" if image is None or self._has_image(self.settings.image(item.name)) else "absent"
        states = set(self.processes(component).values())
        return rollout.condition(states) if states or self._has_record(item) else "absent"

    def _has_record(self, item: Loaded) -> bool:
        """Whether Helm knows the release. Who may not read its records sees what is there alone."""
        try:
            return releases.newest(self.cluster, item.name, self._namespace(item.name)) is not None
        except ClusterError as error:
            if error.reason != FORBIDDEN:
                raise
            return False

    # --- apply ----------------------------------------------------------------------------------------------------

    @cached_property
    def asked(self) -> dict[str, Asked]:
        """What each component asks for, by its chart as it is now."""
        return Paper(self.stack, self.settings, self.helm).asked()

    def volumes(self) -> list[tuple[str, str]]:
        """See `checks.objects.OnCluster`."""
        return needs.volumes(self.stack, self.settings.size, self.asked, self.settings.storage_class)

    def prepare(self) -> list[str]:
        """See `Target`: the namespaces with their guard rails. Objects that differed are named."""
        changed = []
        platform = self.settings.platform
        size, api_server = self.settings.size, self.settings.api_server
        rails = guard_rails.guard_rails(self.stack, size, self.asked, api_server, platform)
        # What gives permissions is the bootstrap's to say.
        for wanted in guard_rails.inside(rails) if self.inside else rails:
            meta = wanted["metadata"]
            before = self.cluster.get(wanted["apiVersion"], wanted["kind"], meta["name"], meta.get("namespace", ""))
            if before is not None and wanted["kind"] in ownership.HOLDERS:
                ownership.refuse_others(before, self.stack.file.name, platform)
            after = self.cluster.server_side_apply(wanted)
            if before is None or before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]:
                changed.append(f"{wanted['kind']} {meta.get('namespace', '')}/{meta['name']}".replace(" /", " "))
        return changed

    def fetch(self, component: str, steps: Sequence[Step]) -> None:
        """See `Target`. Images come from outside: they are loaded, or pushed to the registry that they name."""
        for step in steps:
            if step.kind == "artifact":
                self._await_image(self.settings.image(self._item(component).name), component)

    def _await_image(self, reference: str, component: str) -> None:
        def look() -> None:
            if not self._has_image(reference):
                raise PlatformError(
                    f"no node has the image {reference} of {component}",
                    "build and load the images (python3 -m bootstrap up --target kubernetes does), or push them to a "
                    "registry: python3 -m bootstrap images push REGISTRY",
                )

        # Nodes tell of an image that was just loaded a little later.
        Deadline(_IMAGE_SECONDS).retry(look, on=PlatformError)

    def apply(self, component: str, steps: Sequence[Step]) -> None:
        """See `Target`."""
        self.ensure_credentials()
        item = self._item(component)
        waited = False
        for step in steps:
            match step.kind:
                case "secret":
                    self._apply_secret(item, step)
                case "release":
                    self._apply_release(item)
                    waited = False
                case "claim":
                    if not waited:
                        self.wait(component)
                        waited = True
                    claims.carry_out(self, item.name, step)

    def _apply_secret(self, item: Loaded, step: Step) -> None:
        if step.verb == "remove":
            self.cluster.delete("v1", "Secret", step.name, self._namespace(item.name))
        # `apply` has made those of holders.
        elif not step.name.endswith(credentials.SUFFIX):
            self._write(item, self._secrets(item)[step.name])

    def _write(self, item: Loaded, content: Content) -> None:
        configuration.write(self.cluster, self.stack, item.name, content, self.settings.platform)

    def _write_ahead(self, runner: Loaded) -> None:
        """What pods need that tools of tasks make, before tasks know of it; their component is deployed later."""
        if runner.kubernetes and runner.kubernetes.runs_tasks:
            for item in self.stack.components.values():
                for content in self._secrets(item).values() if item.kubernetes and item.kubernetes.pods else ():
                    self._write(item, content)

    def _apply_release(self, item: Loaded) -> None:
        here = self._namespace(item.name)
        record = releases.newest(self.cluster, item.name, here)
        if record is not None:
            releases.refuse_others(record, item.name, here)
        if record is not None and record.is_pending:
            print(releases.heal(self.cluster, record, item.name, here), flush=True)
        self._write_ahead(item)
        self.helm.upgrade(self._release(item)._replace(platform=self.settings.platform))
        # Helm has just forgotten its oldest revision.
        configuration.remove_unneeded(self.cluster, self.stack, item.name, self._secrets(item).values())

    def revision(self, component: str) -> str:
        """See `Target`: Helm's number of the release, if it is deployed."""
        item = self._item(component)
        if not item.is_deployed:
            return ""
        record = releases.newest(self.cluster, item.name, self._namespace(item.name))
        return str(record.revision) if record is not None and record.status == "deployed" else ""

    def restore(self, component: str, revision: str) -> None:
        """See `Target`. Helm keeps the last revisions, and each of them finds the configuration that it had."""
        item = self._item(component)
        mend = "correct the definition, then run stack_deploy"
        if not revision:
            raise PlatformError(f"no revision of {item.name} was deployed before", mend)
        here = self._namespace(item.name)
        records = {record.revision: record for record in releases.history(self.cluster, item.name, here)}
        if (record := records.get(int(revision))) is None:
            raise PlatformError(f"Helm does not keep revision {revision} of {item.name} any more", mend)
        if lost := configuration.lost(record, configuration.there(self.cluster, self.stack, item.name)):
            gone = ", ".join(lost)
            raise PlatformError(f"revision {revision} of {item.name} needs Secrets that are gone: {gone}", mend)
        self.helm.rollback(item.name, here, record.revision)

    def forget_earlier(self, component: str) -> None:
        """See `Target`: Helm's earlier revisions, and the Secrets that only these need."""
        item = self._item(component)
        if not item.is_deployed:
            return
        here = self._namespace(item.name)
        for record in releases.history(self.cluster, item.name, here)[:-1]:
            self.cluster.delete("v1", "Secret", record.secret, here)
        configuration.remove_unneeded(self.cluster, self.stack, item.name, self._secrets(item).values())

    # --- wait, tools, logs ----------------------------------------------------------------------------------------

    def wait(self, component: str) -> None:
        """See `Target`."""
        item = self._item(component)
        seconds = max((process.ready.within for process in item.definition.processes.values()), default=0)
        if seconds:
            rollout.wait(self.cluster, item.name, self._namespace(item.name), seconds)

    def _holds(self, component: str) -> bool:
        return self.inside and os.environ.get(places.COMPONENT_VARIABLE) == component

    def tool_command(
        self, component: str, tool: str, arguments: Sequence[str], writes: Sequence[Path] = ()
    ) -> ToolCommand:
        """See `Target`; its container is all that it can write to.

        Raises:
            PlatformError: the component has no such tool, or its programs are not in this container.
        """
        del writes
        item = self._item(component)
        if not self._holds(item.name):
            raise PlatformError(
                f"the programs of {item.name} are not in this container",
                f"give the task the pod of {item.name} (data_platform.operators.pods), or use Target.run_tool",
            )
        return tools.command(item, tool, arguments, self.bindings(item.name), self.etc(item.name))

    def run_tool(
        self, component: str, tool: str, arguments: Sequence[str], seconds: float, writes: Sequence[Path] = ()
    ) -> ToolResult:
        """See `Target`. In this container where it has the programs; otherwise in a pod of its own."""
        item = self._item(component)
        if not self._holds(item.name):
            tools.refuse_unknown(item, tool)
            words, name = [tool, *arguments], tools.pod_name(item.name, tool)
            pod = pods.tool_pod(self.stack, self.settings, item.name, words, name, tasks=self._tasks())
            return tools.run_pod(self.cluster, pod, seconds)
        command = self.tool_command(component, tool, arguments, writes)
        returncode, output = run_to_end(command.argv, seconds, Path(places.DATA), command.environment)
        return (
            ToolResult(-1, f"{output}\nnot done after {seconds:.0f} s")
            if returncode is None
            else ToolResult(returncode, output)
        )

    def logs(self, component: str, lines: int) -> str:
        """See `Target`."""
        item = self._item(component)
        if not item.is_deployed:
            return ""
        return rollout.logs(self.cluster, item.name, self._namespace(item.name), lines)
