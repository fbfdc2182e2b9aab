"""Write what the platform is on Kubernetes to a folder, for those who install it by hand or by their own tools.

    python deploy/definition.py FOLDER --images IMAGES --api-server ADDRESS:PORT [--size SIZE]

Asks no cluster. Passwords are generated at the first call and kept in FOLDER, which nobody else may read. IMAGES is a
JSON file, `{"trino": "registry.example.org/data-platform/trino:…", …}`, or the registry to which they were pushed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).resolve().parents[1]
for _folder in (ROOT, ROOT / "plugins"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from bootstrap.helm import helm_program  # noqa: E402 - the path is set above
from data_platform.claims.database import PASSWORD, USER, Database  # noqa: E402 - the path is set above
from data_platform.clients.kubernetes import Cluster  # noqa: E402
from data_platform.clients.postgres import verifier  # noqa: E402
from data_platform.stack.load import KUBERNETES, load_stack  # noqa: E402
from data_platform.stack.stack import Stack  # noqa: E402
from data_platform.targets.kubernetes import credentials, guard_rails, places  # noqa: E402
from data_platform.targets.kubernetes.definition import stored_object  # noqa: E402
from data_platform.targets.kubernetes.releases import Helm  # noqa: E402
from data_platform.targets.kubernetes.settings import Settings  # noqa: E402
from data_platform.targets.kubernetes.target import KubernetesTarget  # noqa: E402
from data_platform.targets.local.state import write_private  # noqa: E402

Object = dict[str, Any]
#: SQL for psql. Names are from the model, verifiers base64: neither has anything that SQL would read as its own.
_ROLE = "select 'create role {0}' where not exists (select from pg_roles where rolname = '{0}') \\gexec"
_PASSWORD = "alter role {0} login password '{1}';"  # noqa: S105 - a place for one
_DATABASE = (
    "select 'create database {0} owner {1}' where not exists (select from pg_database where datname = '{0}') \\gexec"
)
_SCHEMA = "create schema if not exists {0} authorization {1};"
_EXTENSION = 'create extension if not exists "{0}";'
#: In PostgreSQL's pod, as the administrator.
_PSQL = (
    'PGPASSWORD="$POSTGRESQL_PASSWORD" "$ARTIFACT_SERVER/bin/psql"'
    " --set ON_ERROR_STOP=1 --host postgresql --username postgres"
)


class Folder:
    """Secrets in files, as if they were in a cluster: one file a component. Of what is there holders' own is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._there: dict[tuple[str, str], Object] = {}
        for file in sorted(path.glob("*.yaml")):
            for thing in yaml.safe_load_all(file.read_text(encoding="utf-8")):
                if thing["metadata"]["name"].endswith(credentials.SUFFIX):
                    self.server_side_apply(thing)

    def get(self, _api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """One Secret; None when it is not there."""
        return self._there.get((namespace, name)) if kind == "Secret" else None

    def knows(self, *_: str) -> bool:
        """Nothing beyond Kubernetes' own kinds, as far as is known; helm asks the cluster itself."""
        return False

    def list_objects(self, *_: str, **__: str) -> list[Object]:
        """None: nothing is known of a cluster."""
        return []

    def create(self, wanted: Mapping[str, Any]) -> Object:
        """Keep one Secret that was not there."""
        return self.server_side_apply(wanted)

    def merge(self, seen: Mapping[str, Any], change: Mapping[str, Any]) -> Object:
        """Change keys of one Secret."""
        data = {key: value for key, value in {**seen["data"], **change["data"]}.items() if value is not None}
        return self.server_side_apply({**seen, "data": data})

    def server_side_apply(self, wanted: Mapping[str, Any]) -> Object:
        """Keep one Secret."""
        thing = dict(wanted)
        self._there[thing["metadata"]["namespace"], thing["metadata"]["name"]] = thing
        return thing

    def save(self) -> None:
        """All of them to their files, which their owner alone can read."""
        files = defaultdict(list)
        for thing in self._there.values():
            files[thing["metadata"]["labels"][places.NAME]].append(thing)
        for component, things in files.items():
            write_private(self.path / f"{component}.yaml", _text(*things))


def _text(*things: Object) -> str:
    return yaml.safe_dump_all(things, sort_keys=True)


def statements(target: KubernetesTarget, component: str) -> Iterator[str]:
    """SQL that makes a component's role, databases and what they are to hold; harmless where it is there."""
    own = target.credentials(component)
    for claim in target.stack.components[component].component.claims:
        if not isinstance(claim, Database):
            continue
        yield _ROLE.format(own[USER])
        yield _PASSWORD.format(own[USER], verifier(own[USER], own[PASSWORD]))
        yield _DATABASE.format(claim.name, own[USER])
        if claim.schemas or claim.extensions:
            yield f"\\connect {claim.name}"
        yield from (_SCHEMA.format(schema, own[USER]) for schema in claim.schemas)
        yield from (_EXTENSION.format(extension) for extension in claim.extensions)


def commands(target: KubernetesTarget, component: str, folder: Path) -> Iterator[str]:
    """How to install one component, after what it depends on."""
    release = target._release(target.stack.components[component])
    if (sql := folder / "databases" / f"{component}.sql").exists():
        pod = ["--namespace", places.namespace(target.stack, "postgresql"), "postgresql-server-0"]
        yield f"{shlex.join(['kubectl', 'exec', '--stdin', *pod, '--', 'sh', '-c', _PSQL])} < {shlex.quote(str(sql))}"
    if (secrets := folder / "secrets" / f"{component}.yaml").exists():
        yield shlex.join(["kubectl", "apply", "--server-side", "--filename", str(secrets)])
    files = (folder / "values" / f"{component}.yaml", *release.sizes)
    values = [word for file in files for word in ("--values", str(file))]
    yield shlex.join(["helm", "upgrade", "--install", *release.place, *values, "--wait", "--timeout", "15m"])


def write(stack: Stack, settings: Settings, folder: Path) -> list[str]:
    """Write everything; returns the commands that install it, in order.

    Args:
        stack: the platform on the target kubernetes.
        settings: size and images.
        folder: where to; what is there of an earlier call is kept or replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for part in ("secrets", "values", "databases"):
        (folder / part).mkdir(exist_ok=True)
    kept = Folder(folder / "secrets")
    target = KubernetesTarget(stack, settings, cast("Cluster", kept), Helm(helm_program()), inside=True)
    rails = guard_rails.guard_rails(stack, settings.size, target.asked, settings.api_server)
    (folder / "guard-rails.yaml").write_text(_text(*rails), encoding="utf-8")
    target.ensure_credentials()
    # An administrator's cluster service is his to install.
    ours = {name: item for name, item in stack.components.items() if item.is_deployed}
    for name, item in ours.items():
        for content in target._secrets(item).values():
            kept.server_side_apply(stored_object(stack, name, content))
        (folder / "values" / f"{name}.yaml").write_text(_text(dict(target._release(item).values)), encoding="utf-8")
        if sql := "\n".join(statements(target, name)):
            write_private(folder / "databases" / f"{name}.sql", f"{sql}\n")
    kept.save()
    first = shlex.join(["kubectl", "apply", "--server-side", "--filename", str(folder / "guard-rails.yaml")])
    return [first, *(command for name in ours for command in commands(target, name, folder))]


def main(words: list[str]) -> None:
    """Read the command line, write, and show how to go on."""
    parser = argparse.ArgumentParser(description="Write what the platform is on Kubernetes to a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", required=True, help="JSON file, or registry to which the images were pushed")
    parser.add_argument("--api-server", required=True, metavar="ADDRESS:PORT", help="as pods reach it")
    parser.add_argument("--size", choices=places.SIZES, default="small")
    parser.add_argument("--storage-class", default="", help="of all volumes (default: that of the size)")
    given = parser.parse_args(words)
    stack = load_stack(ROOT, target=KUBERNETES)
    if Path(given.images).is_file():
        images = json.loads(Path(given.images).read_text(encoding="utf-8"))
    else:
        from bootstrap.images import references

        images = references(stack, given.images)
    settings = Settings(size=given.size, images=images, storage_class=given.storage_class, api_server=given.api_server)
    print("\n".join(write(stack, settings, given.folder.resolve())))


if __name__ == "__main__":
    main(sys.argv[1:])
