"""The `local` target: render, fetch, supervise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from data_platform.checks.base import Deadline, ToolCommand, ToolResult
from data_platform.clients.commands import run, run_to_end
from data_platform.clients.supervisor import ALIVE, Supervisor
from data_platform.stack.bindings import Bindings
from data_platform.stack.definition import Job, Process
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.stack.plan import Kind, Resource, Seen, Step
from data_platform.targets import claims
from data_platform.targets.local import artifacts, tools
from data_platform.targets.local.confinement import confinement, make_places
from data_platform.targets.local.context import LocalContext
from data_platform.targets.local.privileges import own
from data_platform.targets.local.programs import (
    ALWAYS,
    SETTINGS,
    inherit_environment,
    program_file,
    write_program,
)
from data_platform.targets.local.state import read_json, write_private
from data_platform.targets.render import render

_LOG_TAIL = 25
#: A command that looks whether a server is ready may hang; so many looks at least fit into its deadline, and none takes
#: longer than this.
_LOOKS, _LOOK_SECONDS = 4, 30.0


class NotReadyError(Exception):
    """A process does not take requests yet."""


class LocalTarget(LocalContext):
    """Runs the components of a stack as supervised processes."""

    @cached_property
    def _supervisor(self) -> Supervisor:
        return Supervisor(self.state.socket)

    def _build_values(self, component: str) -> dict[str, str]:
        """Bindings that a build may see: no address and no secret."""
        values = self._bindings(component).open
        return {k: v for k, v in values.items() if k.startswith("ARTIFACT_") or k in ("ROOT", "PLATFORM_PYTHON")}

    def prepare(self) -> list[str]:
        """See `Target`: folders are made with the component that needs them."""
        return []

    # --- wanted ---------------------------------------------------------------------------------------------------

    def wanted(self, component: str) -> list[Resource]:
        """See `Target`."""
        item, values = self._item(component), self._bindings(component)
        placed = self._placed(component)
        files = self._files(item)
        found = [Resource(kind="artifact", name=n, digest=p.digest) for n, p in placed.items()]
        found += [
            Resource(kind="file", name=n, digest=artifacts.sha256_of_bytes(content)) for n, content in files.items()
        ]
        found += claims.wanted(self, component)
        kinds: list[tuple[Kind, Iterable[str]]] = [
            ("job", item.definition.jobs),
            ("process", item.definition.processes),
        ]
        for kind, names in kinds:
            found += [Resource(kind=kind, name=n, digest=self._launch(item, n, values)["digest"]) for n in names]
        return found

    # --- observe --------------------------------------------------------------------------------------------------

    def observe(self, component: str) -> list[Seen]:
        """See `Target`."""
        item = self._item(component)
        wanted = {(r.kind, r.name): r.digest for r in self.wanted(component)}
        found = [
            Seen(kind="artifact", name=n, digest=p.digest) for n, p in self._placed(component).items() if p.is_there
        ]
        etc = self.state.etc(component)
        found += [
            Seen(
                kind="file",
                name=str(p.relative_to(etc)),
                digest=artifacts.sha256_of(p),
                # Configuration may hold secrets.
                healthy=not p.stat().st_mode & 0o077,
                note="others can read it" if p.stat().st_mode & 0o077 else _file_note(wanted, p, etc),
            )
            for p in sorted(etc.rglob("*"))
            if p.is_file()
        ]
        found += claims.observe(self, component)
        # What a job did in a database that was dropped is gone too.
        undone = bool(item.definition.jobs) and not claims.has_its_data(self, component)
        for name, job in item.definition.jobs.items():
            record = read_json(self._job_record(component, name))
            creates = job.creates and render(job.creates, self._bindings(component).open, f"{component}.{name}")
            if creates and Path(creates).exists():
                found.append(Seen(kind="job", name=name, digest=wanted["job", name]))
            elif not creates and record and not undone:
                found.append(Seen(kind="job", name=name, digest=record.get("digest")))
        for name, state in self.processes(component).items():
            record = read_json(self.state.run / "started" / f"{component}.{name}.json")
            found.append(
                Seen(
                    kind="process",
                    name=name,
                    digest=record.get("digest"),
                    healthy=state in ALIVE,
                    note="" if state in ALIVE else f"it is {state}",
                )
            )
        return found

    def forget_strays(self) -> list[str]:
        """Stop programs of components that the stack does not have; their data stays. Returns their names."""
        strays = [n for n in self._supervisor.states() if n.partition(".")[0] not in self.stack.components]
        for program in strays:
            self._supervisor.forget(program)
            program_file(self.state, program).unlink(missing_ok=True)
        return strays

    def processes(self, component: str) -> dict[str, str]:
        """See `Target`. Empty when the supervisor is not up."""
        if not self.state.socket.exists() or not self._supervisor.is_up():
            return {}
        stem = f"{component}."
        return {n.removeprefix(stem): s for n, s in self._supervisor.states().items() if n.startswith(stem)}

    def condition(self, component: str) -> str:
        """See `Target`."""
        item = self._item(component)
        if not item.definition.processes:
            there = {(s.kind, s.name) for s in self.observe(component)}
            return "installed" if {(r.kind, r.name) for r in self.wanted(component)} <= there else "absent"
        states = self.processes(component)
        if {name for name, state in states.items() if state == "RUNNING"} >= set(item.definition.processes):
            return "running"
        if any(state in ("FATAL", "EXITED") for state in states.values()):
            return "failed"
        if any(state in ALIVE for state in states.values()):
            return "starting"
        launched = any((self.state.run / "launch").glob(f"{component}.*.json"))
        return "stopped" if launched else "absent"

    def _job_record(self, component: str, job: str) -> Path:
        return self.state.run / "jobs" / f"{component}.{job}.json"

    # --- apply ----------------------------------------------------------------------------------------------------

    def fetch(self, component: str, steps: Sequence[Step]) -> None:
        """See `Target`."""
        placed = self._placed(component)
        for step in steps:
            if step.kind == "artifact":
                artifacts.fetch(placed[step.name], self._build_values(component), self.cache)

    def apply(self, component: str, steps: Sequence[Step]) -> None:
        """See `Target`."""
        self.ensure_credentials()
        item, values = self._item(component), self._bindings(component)
        self._make_folders(item, values.open)
        waited = False
        for step in steps:
            match step.kind:
                case "artifact":
                    artifacts.fetch(self._placed(component)[step.name], self._build_values(component), self.cache)
                case "file":
                    self._apply_file(item, step)
                case "job":
                    self._run_job(item, step.name, values)
                case "process":
                    self._apply_process(item, step, values)
                    waited = False
                case "claim":
                    if not waited:
                        self.wait(component)
                        waited = True
                    claims.carry_out(self, component, step)

    def _make_folders(self, item: Loaded, values: Mapping[str, str]) -> None:
        for folder in (self.state.data(item.name), self.state.etc(item.name), self.state.tmp(item.name)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            if _is_unprivileged(item):
                own(folder)
        for spec in (*item.definition.jobs.values(), *item.definition.processes.values()):
            make_places(confinement(spec, values, item.name), self.state.folder)

    def _apply_file(self, item: Loaded, step: Step) -> None:
        path = self.state.etc(item.name) / step.name
        if step.verb == "remove":
            path.unlink(missing_ok=True)
            return
        write_private(path, self._files(item)[step.name].decode())
        if _is_unprivileged(item):
            own(path)

    def _run_job(self, item: Loaded, name: str, values: Bindings) -> None:
        job = item.definition.jobs[name]
        spec = self._launch(item, name, values)
        run(
            spec["command"],
            doing=f"{item.name}: job {name}",
            remedy=f"read {self.state.logs / f'{item.name}.{name}.log'}, mend the cause and run it again",
            seconds=Deadline(job.within).remaining,
            folder=Path(spec["directory"]),
            environment=spec["environment"],
            log=self.state.logs / f"{item.name}.{name}.log",
            program=render(job.command[0], values.open, f"{item.name}.{name}"),
        )
        write_private(self._job_record(item.name, name), json.dumps({"digest": spec["digest"]}))

    def _apply_process(self, item: Loaded, step: Step, values: Bindings) -> None:
        program = f"{item.name}.{step.name}"
        if step.verb == "stop":
            self._supervisor.forget(program)
            program_file(self.state, program).unlink(missing_ok=True)
            return
        process = item.definition.processes[step.name]
        write_program(program, process, self._launch(item, step.name, values), self.state)
        self._supervisor.start(program)

    def revision(self, component: str) -> str:
        """See `Target`: digest of the definition of its processes; earlier ones are in git, not here."""
        records = sorted((self.state.run / "started").glob(f"{component}.*.json"))
        return " ".join(str(read_json(record).get("digest", ""))[:12] for record in records)

    def restore(self, component: str, revision: str) -> None:
        """See `Target`."""
        raise PlatformError(
            f"earlier definitions of {component} (such as {revision or 'none'}) are not kept on this target",
            "check the earlier commit out and run: python3 -m bootstrap up",
        )

    def forget_earlier(self, component: str) -> None:
        """See `Target`: none is kept."""

    # --- wait, tools, logs ----------------------------------------------------------------------------------------

    def wait(self, component: str) -> None:
        """See `Target`."""
        item, values = self._item(component), self._bindings(component).open
        for name, process in item.definition.processes.items():
            deadline = Deadline(process.ready.within)
            try:
                deadline.retry(partial(self._look, item, name, process, values, deadline), on=NotReadyError)
            except NotReadyError as error:
                raise PlatformError(
                    f"{item.name}.{name} takes no requests after {deadline.seconds:.0f} s: {error}\n"
                    f"{self.logs(component, _LOG_TAIL)}",
                    f"read {self.state.logs / f'{item.name}.{name}.log'} and run it again",
                ) from None

    def _look(self, item: Loaded, name: str, process: Process, values: Mapping[str, str], whole: Deadline) -> None:
        """Return when the process takes requests; `whole` is the deadline of all looks together.

        Raises:
            NotReadyError: it does not yet.
            PlatformError: it will not.
        """
        state = self.processes(item.name).get(name, "unknown to the supervisor")
        if state == "FATAL":
            raise PlatformError(
                f"{item.name}.{name} ends again and again\n{self.logs(item.name, _LOG_TAIL)}",
                f"read {self.state.logs / f'{item.name}.{name}.log'}, mend the cause and run it again",
            )
        where = f"{item.name}.{name}.ready"
        if process.ready.http is not None:
            from data_platform.clients.http import answers

            url = render(process.ready.http, values, where)
            if problem := answers(url, process.ready.contains, str(self.authorities) if self.authorities else None):
                raise NotReadyError(f"{problem} (it is {state})")
            return
        command = [render(word, values, where) for word in process.ready.command or ()]
        within = min(_LOOK_SECONDS, max(1.0, whole.seconds / _LOOKS))
        try:
            code, said = run_to_end(command, within, environment={**inherit_environment(ALWAYS), **SETTINGS, **values})
        except FileNotFoundError as error:
            raise PlatformError(
                f"{where}: the command's program {error.filename} is not there",
                f"correct it in {item.folder}/local.yaml",
            ) from None
        if code is None:
            # A server that just starts may take a connection and not answer on it; the next look may find it ready.
            raise NotReadyError(
                f"{command[0]} did not end within {within:.0f} s (it is {state})\n{said.strip()}".rstrip()
            )
        if code != 0:
            raise NotReadyError(f"{said.strip() or f'{command[0]} ended with {code}'} (it is {state})")

    def tool_command(
        self, component: str, tool: str, arguments: Sequence[str], writes: Sequence[Path] = ()
    ) -> ToolCommand:
        """See `Target`.

        Raises:
            PlatformError: the component has no such tool, or its program is not there yet.
        """
        item = self._item(component)
        return tools.command(item, tool, arguments, self._bindings(item.name), writes=writes, where=self._where)

    def run_tool(
        self, component: str, tool: str, arguments: Sequence[str], seconds: float, writes: Sequence[Path] = ()
    ) -> ToolResult:
        """See `Target`."""
        command = self.tool_command(component, tool, arguments, writes)
        folder = self.state.data(self._item(component).name)
        folder.mkdir(parents=True, exist_ok=True)
        returncode, output = run_to_end(command.argv, seconds, folder, command.environment)
        if returncode is None:
            return ToolResult(-1, f"{output}\nnot done after {seconds:.0f} s")
        return ToolResult(returncode, output)

    def close(self) -> None:
        """See `Target`: nothing was taken."""

    def logs(self, component: str, lines: int) -> str:
        """See `Target`."""
        item = self._item(component)
        parts = []
        for name in (*item.definition.jobs, *item.definition.processes):
            path = self.state.logs / f"{item.name}.{name}.log"
            if path.exists():
                last = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
                parts += [f"--- {path}", *last]
        return "\n".join(parts)


def _is_unprivileged(item: Loaded) -> bool:
    specs: list[Process | Job] = [*item.definition.processes.values(), *item.definition.jobs.values()]
    return any(spec.unprivileged for spec in specs)


def _file_note(wanted: Mapping[tuple[Kind, str], str], path: Path, etc: Path) -> str:
    name = str(path.relative_to(etc))
    if wanted.get(("file", name)) in (None, artifacts.sha256_of(path)):
        return ""
    return "its content is not what the definition says (edited by hand, or the definition changed)"
