"""What a module of tests depends on, found in its imports and in the names of components and datasets that it says.

A test that needs a platform depends on all that the platform is made of, but for the components and datasets that it
has nothing to do with: those that it does not name and that nothing it names depends on.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import CONTRACT, DATASETS, Stack

#: Rooms whose tests need a platform or a cluster, and the package of targets that is theirs.
PLATFORM_ROOMS: Mapping[str, str] = {"e2e": "local", "drills": "local", "cluster": "kubernetes"}
#: Folders that a platform is made of, beside the components'.
_PLATFORM = (
    "bootstrap",
    "dags",
    "datasets",
    "dbt_project",
    "expectations",
    "locks",
    "nifi_flows",
    "plugins",
    "reports",
    "spark_jobs",
)
#: Files of components, and those that only a cluster needs.
_COMPONENTS, _CLUSTER_ONLY = PurePosixPath("stack/components"), ("stack/charts", "stack/cluster", "stack/images")
#: First words of module names, and the folders in which such modules lie.
_PACKAGES = {"data_platform": "plugins", "bootstrap": "", "tests": "", "spark_jobs": "", "benchmarks": ""}
_TARGETS = "plugins/data_platform/targets"
#: Says by whom every dataset's data is brought on its way.
_WAY = "plugins/data_platform/datasets/way.py"
#: Of a component, but not of what it does.
_WORDS = {".md", ".png"}


def tracked(root: Path) -> list[str]:
    """Files of the checkout that git knows, sorted, as paths below its root."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    return sorted(name for name in done.stdout.split("\0") if name and (root / name).is_file())


def digest(root: Path, files: Iterable[str]) -> str:
    """Of names and content of files; the same in every checkout."""
    found = hashlib.sha256()
    for name in sorted(files):
        content = hashlib.sha256((root / name).read_bytes()).hexdigest()
        found.update(f"{name} {content}\n".encode())
    return found.hexdigest()[:16]


@dataclass
class Graph:
    """Imports, components and datasets of one checkout.

    Attributes:
        root: the checkout.
        files: paths of its files, below its root.
    """

    root: Path
    files: list[str]
    _trees: dict[str, ast.Module] = field(default_factory=dict, init=False)
    _imported: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    _named: dict[str, frozenset[str]] = field(default_factory=dict, init=False)

    @cached_property
    def _there(self) -> set[str]:
        return set(self.files)

    @cached_property
    def stack(self) -> Stack:
        """Of a cluster: it has the most components."""
        return load_stack(self.root, target=KUBERNETES)

    @cached_property
    def components(self) -> dict[str, str]:
        """Folder of every component, of all profiles."""
        found = {}
        for name in self.files:
            place = PurePosixPath(name)
            if place.is_relative_to(_COMPONENTS) and place.name == "component.yaml":
                found[place.parent.name] = str(place.parent)
        return found

    @cached_property
    def datasets(self) -> set[str]:
        """Names of the datasets of the files."""
        pattern = f"{DATASETS}/*/{CONTRACT}"
        return {PurePosixPath(name).parts[1] for name in self.files if PurePosixPath(name).match(pattern)}

    def imported(self, module: str) -> set[str]:
        """Files that a file imports, directly or through others, itself with them."""
        found, ahead = {module}, [module]
        while ahead:
            new = self._imports(ahead.pop()) - found
            found |= new
            ahead += new
        return found

    def named(self, module: str) -> set[str]:
        """Components and datasets that a module of tests, or what it imports of the tests, says by name."""
        of_tests = [name for name in self.imported(module) if name.startswith("tests/")]
        return {word for name in of_tests for word in self._says(name)}

    def concerned(self, module: str) -> set[str]:
        """Components that a module of tests is about; all where it names none, or goes over all of them."""
        goes_over_all = any(
            isinstance(n, ast.Attribute) and n.attr == "components" for n in ast.walk(self._tree(module))
        )
        said = self.named(module)
        if said & self.datasets and _WAY in self._there:
            said |= self._says(_WAY)
        named = {name for name in said if name in self.components}
        return set(self.components) if goes_over_all or not named else named

    def inputs(self, module: str) -> set[str]:
        """Files that a module of tests depends on.

        Args:
            module: path of the module, `tests/ROOM/….py`.
        """
        found = {*self.imported(module), *(name for name in self.files if name.endswith("conftest.py"))}
        # A folder beside a module, with its name, is what it reads.
        folders = tuple(f"{name.removesuffix('.py')}/" for name in found if name.startswith("tests/"))
        found |= {name for name in self.files if name.startswith(folders)}
        return {name for name in found if name in self._there} | self._of_platform(module, self.files)

    def touched(self, module: str, changed: set[str]) -> bool:
        """Whether a change can have broken a module of tests.

        Args:
            module: path of the module.
            changed: files that were changed, made or removed.
        """
        if changed & self.inputs(module):
            return True
        # What was removed is no input any more.
        gone = changed - set(self.files)
        return bool(gone) and bool(self._of_platform(module, gone))

    def _of_platform(self, module: str, names: Iterable[str]) -> set[str]:
        """Those of some files of which the platform of a module of tests is made."""
        if (target := PLATFORM_ROOMS.get(PurePosixPath(module).parts[1])) is None:
            return set()
        needed, datasets = self._needed(self.concerned(module)), self.named(module) & self.datasets or self.datasets
        return {name for name in names if self._is_of_a_platform(name, target, needed, datasets)}

    def _needed(self, components: set[str]) -> set[str]:
        """Components, what they depend on, and what brings every platform up."""
        found, ahead = set(), [*components, "airflow"]
        while ahead:
            word = ahead.pop()
            if (name := self.stack.capabilities.get(word, word)) not in found:
                found.add(name)
                # A component of another profile stands for one of this, which says what it depends on.
                if name in self.stack.components:
                    of = self.stack.components[name].component
                    ahead += [*of.all_before, *of.all_called]
        return found

    def _is_of_a_platform(self, name: str, target: str, components: set[str], datasets: set[str]) -> bool:
        place = PurePosixPath(name)
        if place.suffix in _WORDS:
            return False
        if name.startswith(f"{_TARGETS}/"):
            of = place.relative_to(_TARGETS).parts[0]
            return of == target or of not in PLATFORM_ROOMS.values()
        if place.is_relative_to(_COMPONENTS):
            # stack/components/NAMESPACE/NAME/…
            return (
                place.relative_to(_COMPONENTS).parts[1:2] == () or place.relative_to(_COMPONENTS).parts[1] in components
            )
        if name.startswith(_CLUSTER_ONLY):
            return target == "kubernetes"
        others = self.datasets - datasets
        if any(part.removesuffix(place.suffix) in others for part in place.parts):
            return False
        return place.parts[0] in _PLATFORM or name in ("pyproject.toml", "stack/stack.yaml", "stack/toolchains.yaml")

    def _tree(self, name: str) -> ast.Module:
        if name not in self._trees:
            self._trees[name] = ast.parse((self.root / name).read_text(encoding="utf-8"), name)
        return self._trees[name]

    def _says(self, name: str) -> frozenset[str]:
        if name not in self._named:
            known = {*self.components, *self.datasets}
            said = {word for text in _texts(self._tree(name)) for word in _words(text)}
            self._named[name] = frozenset(said & known)
        return self._named[name]

    def _imports(self, name: str) -> frozenset[str]:
        if name not in self._imported:
            self._imported[name] = frozenset(self._import_statements(name))
        return self._imported[name]

    def _import_statements(self, name: str) -> Iterator[str]:
        for node in ast.walk(self._tree(name)):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for module in modules:
                if (file := self._file_of(module)) is not None:
                    yield file

    def _file_of(self, module: str) -> str | None:
        first, *_ = module.split(".")
        if first not in _PACKAGES:
            return None
        stem = PurePosixPath(_PACKAGES[first], *module.split("."))
        return next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if name in self._there), None)


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _words(text: str) -> Iterator[str]:
    """What a text may name: itself, `component.process`, `schema.dataset`, `pipelines_dataset`, `folder/dataset/…`."""
    if " " in text:
        return
    yield text
    yield from text.replace("/", ".").split(".")
    yield text.removeprefix("pipelines_")
