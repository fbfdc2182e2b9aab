"""The page `docs/reference/guard-rails.md`: quotas, calls and rights, as a cluster gets them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from bootstrap.on_cluster import helm_program
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import network, permissions, places
from data_platform.targets.kubernetes.grants import all_granted
from data_platform.targets.kubernetes.guard_rails import guard_rails
from data_platform.targets.kubernetes.needs import Asked
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.sizes import Paper
from docs.markdown import NOTE, as_table, joined


def page(root: Path) -> str:
    """Content of the page.

    Args:
        root: folder of the checkout.
    """
    stack = load_stack(root, target=KUBERNETES)
    return joined(
        [
            "# Guard rails on Kubernetes",
            "",
            NOTE,
            "What they are for, and how to open more: [guard-rails.md](../kubernetes/guard-rails.md).",
            "",
            *_namespaces(stack),
            *_calls(stack),
            *_accounts(stack),
            *_services(root),
        ]
    )


@cache
def _asked(root: Path, size: str) -> dict[str, Asked]:
    """What each component asks for; helm renders all charts for it, once for all pages that are compared."""
    stack = load_stack(root, target=KUBERNETES)
    return Paper(stack, Settings.model_validate({"size": size}), Helm(helm_program())).asked()


def _namespaces(stack: Stack) -> list[str]:
    keys = ("pods", "requests.cpu", "requests.memory", "limits.memory", "requests.storage")
    rows = []
    for size in places.SIZES:
        for thing in guard_rails(stack, size, _asked(stack.root, size), "192.0.2.1:6443"):
            if thing["kind"] == "ResourceQuota":
                hard, name = thing["spec"]["hard"], thing["metadata"]["namespace"]
                here = [n for n in stack.components if places.namespace(stack, n) == name]
                rows.append((f"`{name}`", size, ", ".join(here) or "none", *(hard[key] for key in keys)))
    return [
        "## Namespaces",
        "",
        "What all pods of a namespace may ask for together: what its components declare, room to replace each of them",
        "while it runs, tasks, and a little for a hand to look around.",
        "",
        *as_table(("namespace", "size", "components", *(f"`{key}`" for key in keys)), rows),
    ]


def _calls(stack: Stack) -> list[str]:
    rows = [
        (call.caller, call.callee, ", ".join(map(str, call.ports)) or "all", call.reason)
        for call in network.calls(stack)
    ]
    server = ", ".join(network.api_server_parties(stack))
    return [
        "## Who may call whom",
        "",
        "Everything else is refused, in both directions.",
        "",
        *as_table(("from", "to", "ports", "because"), rows),
        f"To the API server of Kubernetes: {server}. To the DNS of the cluster: everybody.",
        "",
    ]


def _accounts(stack: Stack) -> list[str]:
    lines = [
        "## What accounts may do",
        "",
        "Tasks of datasets (`pipelines`): nothing.",
        "",
        f"The deployer (`{permissions.account(stack)}`), in the namespaces of the platform:",
        "",
        *_rights(permissions.DEPLOYER),
        "In the whole cluster, besides changing the labels of the platform's own namespaces:",
        "",
        *_rights(permissions.READER),
        f"Airflow's pages (`{permissions.looker_account(stack)}`), in the namespaces of the platform, and everywhere:",
        "",
        *_rights((*permissions.LOOKS, *permissions.LOOKS_EVERYWHERE)),
    ]
    for runner, rights in permissions.SUBMITTER.items():
        if rights:
            lines += [f"What starts jobs of Spark (`{places.SUBMITTER}`) where their runner is `{runner}`:", ""]
            lines += _rights(rights)
    return lines


def _services(root: Path) -> list[str]:
    """What each cluster service is granted where the platform deploys it."""
    names = [name for name, item in load_stack(root, target=KUBERNETES).components.items() if item.service]
    stack = load_stack(root, target=KUBERNETES, cluster_services=dict.fromkeys(names, "deployed"))
    why = "[why](../kubernetes/services.md#rights)"
    lines = ["## Cluster services", ""]
    lines += [f"What each is granted where the platform deploys it, by the bootstrap alone ({why}).", ""]
    for each in all_granted(stack):
        who = f"its account `{each.service}`" if each.to == "own" else f"the deployer (`{permissions.account(stack)}`)"
        where = f"in `{each.namespace}`" if each.namespace else "in the whole cluster"
        lines += [f"**{each.service}**: {who}, {where}. {' '.join(each.reasons)}", ""]
        lines += _rights([(right.group, right.resources, right.verbs) for right in each.rights])
    lines += ["In a privileged namespace, which the bootstrap alone deploys, the deployer has no more than this:", ""]
    return lines + _rights(permissions.SEES)


def _rights(rights: Iterable[tuple[str, Sequence[str], Sequence[str]]]) -> list[str]:
    rows = [(group or "core", ", ".join(names), ", ".join(verbs)) for group, names, verbs in rights]
    return as_table(("group", "resources", "verbs"), rows)
