"""Write `docs/reference/`, and the record in `docs/status.md`, from what is there; nothing in it is written by hand.

    python docs/generate.py

Needs the platform's environment. `python3 -m bootstrap test docs` fails when a file is stale.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
for _folder in (ROOT, ROOT / "plugins"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from docs.markdown import NOTE, as_table, joined, paragraphs  # noqa: E402 - the folder is on the path from here on

if TYPE_CHECKING:
    from data_platform.checks.base import KindParams
    from data_platform.stack.bound import Bound
    from data_platform.stack.contract import Column
    from data_platform.stack.stack import Stack

REFERENCE, STATUS = ROOT / "docs" / "reference", ROOT / "docs" / "status.md"


def files() -> dict[str, str]:
    """Content of every generated file, by its name in `docs/reference/`."""
    return {
        **_schemas(),
        "checks.md": _checks(),
        "commands.md": _commands(),
        "components.md": _components(),
        "dags.md": _dags(),
        "datasets.md": _datasets(),
        "guard-rails.md": _guard_rails(),
        "networks.md": _networks(),
        "secrets.md": _secrets(),
    }


def _schemas() -> dict[str, str]:
    from data_platform.stack.contract import Contract
    from data_platform.stack.datasets import Pipeline
    from data_platform.stack.definition import Kubernetes, Local
    from data_platform.stack.environment import Environment
    from data_platform.stack.model import Component, StackFile
    from data_platform.stack.terms import Strict

    models: dict[str, type[Strict]] = {
        "contract": Contract,
        "pipeline": Pipeline,
        "component": Component,
        "local": Local,
        "kubernetes": Kubernetes,
        "stack": StackFile,
        "environment": Environment,
    }
    found = {}
    for name, model in models.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
        found[f"{name}.schema.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return found


def kinds() -> list[str]:
    """Check kinds: the modules in `data_platform.checks` that have a function `check`."""
    names = sorted(path.stem for path in (ROOT / "plugins" / "data_platform" / "checks").glob("*.py"))
    return [name for name in names if hasattr(importlib.import_module(f"data_platform.checks.{name}"), "check")]


def _checks() -> str:
    lines = [
        "# Check kinds",
        "",
        NOTE,
        "A check in `component.yaml` names a `kind` and gives it arguments in `with:`. Each kind is a module in",
        "`plugins/data_platform/checks/`. The same checks run in `stack_deploy`, hourly, by hand and in the tests.",
        "",
    ]
    for name in kinds():
        module = importlib.import_module(f"data_platform.checks.{name}")
        lines += [f"## `{name}`", "", *paragraphs(module.__doc__), *paragraphs(module.check.__doc__)]
        lines += _parameters(module.Params)
        if used := _uses(name):
            lines += ["Used by:", "", *used, ""]
    return joined(lines)


def _parameters(params: type[KindParams]) -> list[str]:
    schema = params.model_json_schema()
    required, properties = schema.get("required", []), schema.get("properties", {})
    if not properties:
        return ["It takes no arguments.", ""]
    rows = [
        (
            f"`{name}`",
            _type(spec),
            _default(name, spec, name in required),
            spec.get("description", ""),
        )
        for name, spec in properties.items()
    ]
    return as_table(("argument", "type", "default", "meaning"), rows)


def _default(name: str, spec: dict[str, Any], required: bool) -> str:
    if not required:
        return f"`{json.dumps(spec.get('default'))}`"
    # data_platform.checks.run gives it to every kind that asks.
    return "the check's own" if name == "component" else "required"


def _type(spec: dict[str, Any]) -> str:
    if "anyOf" in spec:
        return " or ".join(_type(one) for one in spec["anyOf"])
    if spec.get("type") == "array":
        return f"list of {_type(spec['items'])}" if spec.get("items") else "list"
    return str(spec.get("type", "any"))


def _uses(kind: str) -> list[str]:
    from data_platform.stack.definition import Kubernetes
    from data_platform.stack.load import parse
    from data_platform.stack.model import Component

    found = []
    for path in sorted((ROOT / "stack" / "components").glob("*/*/component.yaml")):
        name, checks = path.parent.name, parse(Component, path).all_checks
        found += [f"- {name}: {check.name}" for check in checks if check.kind == kind]
        if (here := path.with_name("kubernetes.yaml")).exists():
            more = [check for side in parse(Kubernetes, here).facets.values() for check in side.checks()]
            found += [f"- {name}: {check.name} (on Kubernetes)" for check in more if check.kind == kind]
    return found


def _commands() -> str:
    from bootstrap.arguments import make_parser

    parser = make_parser()
    lines = ["# Commands", "", NOTE, *paragraphs(parser.description)]
    lines += [
        "`python3 -m bootstrap VERB …`; every verb takes `--help`. Which folder is meant where `--state` is left out:",
        "[state-folder.md](../how-to/state-folder.md).",
        "",
    ]
    for verb, one in _verbs(parser).items():
        arguments = [action for action in one._actions if action.dest != "help"]
        # Positional arguments last, as argparse shows them.
        arguments.sort(key=lambda action: not action.option_strings)
        description = one.description or ""
        lines += [f"## `{verb}`", "", f"{description[:1].upper()}{description[1:]}.", ""]
        rows = [(f"`{_name(action)}`", action.help or "") for action in arguments]
        lines += as_table(("argument", "meaning"), rows)
    return joined(lines)


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (found,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest) + (" …" if action.nargs in ("*", "+") else "")
    said = action.metavar or "|".join(map(str, action.choices or ()))
    value = "" if action.nargs == 0 else " " + (" ".join(said) if isinstance(said, tuple) else said)
    return ", ".join(action.option_strings) + value


def _components() -> str:
    from data_platform.stack.load import TARGETS, load_stack, parse
    from data_platform.stack.model import Component

    lines = [
        "# Components",
        "",
        NOTE,
        "All that are in `stack/components/`, of every profile. How one is added:",
        "[add-a-component.md](../how-to/add-a-component.md).",
        "",
    ]
    rows = []
    for path in sorted((ROOT / "stack" / "components").glob("*/*/component.yaml"), key=lambda path: path.parent.name):
        one = parse(Component, path)
        targets = [target for target in TARGETS if path.with_name(f"{target}.yaml").exists()]
        folder = path.parent.relative_to(ROOT)
        name = f"[{one.name}](../../{folder}/README.md)"
        rows.append((name, one.version, one.namespace, ", ".join(targets), ", ".join(one.provides), one.summary))
    lines += as_table(("component", "version", "namespace", "targets", "stands for", "why it is here"), rows)
    for target in TARGETS:
        lines += [
            f"## Who calls whom on `{target}`",
            "",
            "In the default profile. Dotted: it comes after that one and does not call it.",
            "",
        ]
        lines += ["```mermaid", *_picture(load_stack(ROOT, target=target)), "```", ""]
    return joined(lines)


def _picture(stack: Stack) -> list[str]:
    """Components by namespace, with an arrow to each that one calls or must come after."""
    lines, by_namespace = ["flowchart LR"], defaultdict(list)
    for name, item in stack.components.items():
        by_namespace[item.component.namespace].append(name)
    for namespace, names in by_namespace.items():
        lines += [f"    subgraph {namespace}", *(f"        {_node(name)}[{name}]" for name in sorted(names)), "    end"]
    for name in sorted(stack.components):
        called = set(stack.callees(name))
        lines += [f"    {_node(name)} --> {_node(other)}" for other in sorted(called)]
        lines += [f"    {_node(name)} -.-> {_node(other)}" for other in sorted(set(stack.dependencies(name)) - called)]
    return lines


def _node(component: str) -> str:
    # A hyphen may begin an arrow, and a namespace may have the name of a component.
    return f"c_{component.replace('-', '_')}"


def _dags() -> str:
    from data_platform.datasets.describe import pipeline_doc
    from data_platform.stack.datasets import registry

    pipelines = registry(ROOT)
    lines = ["# DAGs", "", NOTE, "A DAG's id is its path: `dags/stack/deploy.py` is `stack_deploy`.", ""]
    for path in sorted((ROOT / "dags").rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        relative = path.relative_to(ROOT / "dags")
        if relative.parts[0] == "pipelines":
            doc = pipeline_doc(pipelines[path.stem])
            schedule = f"`{pipelines[path.stem].pipeline.runs.cron}` ({pipelines[path.stem].pipeline.runs.zone})"
        else:
            doc, schedule = ast.get_docstring(module) or "", _schedule(module)
        # Its own heading becomes one of this page's.
        title, _, body = doc.partition("\n")
        lines += [f"## `{'_'.join(relative.with_suffix('').parts)}`", ""]
        lines += [f"{title.lstrip('# ')}. Schedule: {schedule}.", "", *paragraphs(body)]
    return joined(lines)


def _datasets() -> str:
    from data_platform.stack.contract import CLASSES
    from data_platform.stack.datasets import registry

    lines = ["# Datasets", "", NOTE, "What each is and promises, by `datasets/<dataset>/contract.odcs.yaml`.", ""]
    lines += ["Classes: " + "; ".join(f"`{name}` {meaning}" for name, meaning in CLASSES.items()) + ".", ""]
    for name, one in registry(ROOT).items():
        contract, promise = one.contract, one.contract.promise
        lines += [f"## `{name}`", "", f"{contract.name}. {contract.description.purpose}", ""]
        lines += [f"{contract.description.usage}", "", f"{contract.description.limitations}", ""]
        kept = f"{contract.retention.days} days" if contract.retention else "for ever"
        said = [
            ("owner", contract.owner),
            ("version", f"{contract.version}, {contract.status}"),
            ("a day's data is there by", f"{promise.fresh_by:%H:%M} ({promise.zone.key})"),
            ("newest data is at most", f"{promise.oldest_age.days} days old, by `{'.'.join(promise.age_of)}`"),
            ("rows at least", ", ".join(f"`{table}` {rows}" for table, rows in promise.least_rows.items())),
            *(_bound(bound) for bound in promise.bounds),
            ("kept", kept),
        ]
        lines += as_table(("promise", "value"), said)
        for table in contract.tables:
            lines += [f"### `{table.name}`", "", table.description, ""]
            rows = [_column(table.key, column) for column in table.columns]
            lines += as_table(("column", "type", "class", "what"), rows)
    return joined(lines)


def _bound(bound: Bound) -> tuple[str, str]:
    columns = f" (`{', '.join(bound.columns)}`)" if bound.columns else ""
    words = {
        "greatestChange": ("a publication adds or removes at most", "of the rows"),
        "keysGone": ("a publication removes at most", "of the keys"),
        "greatestShift": ("a publication moves mean and deviation by at most", "in"),
    }
    promise, of = words[bound.property]
    return promise, f"{bound.percent} % {of}{' of' if of != 'in' else ''} `{bound.table}`{columns}"


def _column(key: Sequence[str], column: Column) -> tuple[str, str, str, str]:
    marks = [mark for mark, there in (("key", column.name in key), ("personal data", column.personal)) if there]
    if column.required and column.name not in key:
        marks.append("always there")
    what = f"{column.description} *{', '.join(marks)}*" if marks else column.description
    return f"`{column.name}`", column.type, column.classification, what


def _guard_rails() -> str:
    from docs import guard_rails

    return guard_rails.page(ROOT)


def _networks() -> str:
    from docs import networks

    return networks.page(ROOT)


def _secrets() -> str:
    from docs.secret_places import rows

    lines = [
        "# Secrets",
        "",
        NOTE,
        "Every generated secret, who holds it, and where else than in the credentials file its value may be. What the",
        "columns mean, and how to see that it is so: [secrets.md](../topics/secrets.md).",
        "",
    ]
    head = ("holder", "secret", "environment", "configuration file", "server that made it")
    table = [(row.holder, f"`{row.key}`", row.environments, row.files, row.servers) for row in rows(ROOT)]
    return joined([*lines, *as_table(head, table)])


def _schedule(module: ast.Module) -> str:
    """The first argument of a DAG's schedule, as it is written there."""
    for node in ast.walk(module):
        if isinstance(node, ast.keyword) and node.arg == "schedule":
            if isinstance(node.value, ast.Call):
                return f"`{ast.literal_eval(node.value.args[0])}` (UTC)"
            return "on demand" if (value := ast.literal_eval(node.value)) is None else f"`{value}`"
    return "on demand"


def stale(folder: Path = REFERENCE) -> list[str]:
    """Names of generated files that are missing, left over, or not what the code says now."""
    wanted = files()
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*") if path.is_file()}
    return sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))


def main() -> None:
    """Write all files, and remove what is no longer generated."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in stale():
        path = REFERENCE / name
        if content := files().get(name):
            path.write_text(content, encoding="utf-8")
        else:
            path.unlink()
        print(f"{path.relative_to(ROOT)}")
    from docs import proof

    text = STATUS.read_text(encoding="utf-8")
    if (now := proof.filled(text, ROOT)) != text:
        STATUS.write_text(now, encoding="utf-8")
        print(f"{STATUS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
