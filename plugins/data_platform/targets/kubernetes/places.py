"""Names and paths on the `kubernetes` target: in images, in namespaces, in labels. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NamedTuple

from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.stack.definition import Artifact
from data_platform.stack.stack import Stack

#: In every image. The checkout is a link into a folder of its own: git-sync's volume takes the place of that folder and
#: hides nothing else.
ROOT = PurePosixPath("/opt/data-platform/project")
CHECKOUT = ROOT.parent / "checkout"
PLATFORM = PurePosixPath("/opt/data-platform/platform")
BIN = PurePosixPath("/opt/data-platform/bin")
ARTIFACTS = PurePosixPath("/opt/data-platform/artifacts")
PYTHON = str(PLATFORM / "bin" / "python")
ETC = PurePosixPath("/etc/data-platform")
#: Files with the credentials of holders, in pods that must not read Secrets: `<holder>.json`.
CREDENTIALS = PurePosixPath("/etc/data-platform-credentials")
DATA = PurePosixPath("/var/lib/data-platform")
LOGS = PurePosixPath("/var/log/data-platform")
#: An empty volume of each pod.
TMP = PurePosixPath("/tmp")  # noqa: S108 - nobody else's
#: Where flows take files from, in NiFi's pods.
LANDING = PurePosixPath("/landing")
#: Nobody's number on the nodes; owner of all files that a pod writes.
USER = 1000

#: Listening addresses inside a pod; NetworkPolicies say who reaches them.
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - of a pod
DOMAIN = "svc.cluster.local"
#: Of whoever has ports forwarded to his machine.
LOOPBACK = "127.0.0.1"

NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
COMPONENT, PART_OF = "app.kubernetes.io/component", "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
#: Digest of what an object was made from.
DIGEST = "data-platform/digest"
MANAGER = "data-platform"
#: On what the bootstrap alone applies, for Airflow may not.
APPLIED_BY, BOOTSTRAP = "data-platform/applied-by", "bootstrap"
#: Id of the platform that made an object, as in the mark of its state folder: two of them do not mix.
PLATFORM_ID = "data-platform/platform"

#: Which image a container runs, by component: its tools are there.
COMPONENT_VARIABLE = "DATA_PLATFORM_COMPONENT"
#: Settings of the platform (JSON), for processes inside the cluster.
SETTINGS_VARIABLE = "DATA_PLATFORM_KUBERNETES"
SIZES = ("small", "production")

#: Pods that Airflow makes, by the label COMPONENT. Those of `pipelines` (an identity) hold what it holds: tasks of
#: datasets and tools, and, where jobs of Spark are pods, what starts them. Those of Airflow's own name deploy.
TASK, SUBMIT, DEPLOY_TASK = "task", "submit", "deploy-task"
#: Processes of the orchestrator: the one that has the pages, and the one in which tasks wait and look.
PAGES_SERVER, LOOKS_SERVER = "api-server", "triggerer"
#: Name of the template of tasks that deploy; the others are called after the component whose image they run.
DEPLOYER_TEMPLATE = "deployer"
#: Account of what starts jobs of Spark.
SUBMITTER = "spark-submit"


class Endpoint(NamedTuple):
    """Address of a component's endpoint inside the cluster."""

    host: str
    port: int
    url: str


def orchestrator(stack: Stack) -> str:
    """Component whose servers deploy and run everything else.

    Raises:
        PlatformError: nobody does here.
    """
    return stack.resolve(ORCHESTRATOR)


def namespace(stack: Stack, component: str) -> str:
    """Namespace of a component (or capability)."""
    return f"{stack.file.name}-{stack.components[stack.resolve(component)].part}"


def service_address(stack: Stack, component: str, endpoint: str) -> Endpoint:
    """Where a component's endpoint is reached inside the cluster."""
    name = stack.resolve(component)
    spec = stack.components[name].component.endpoints[endpoint]
    host = f"{name}.{namespace(stack, name)}.{DOMAIN}"
    return Endpoint(host, spec.port, f"{spec.scheme}://{host}:{spec.port}")


def artifact_home(name: str, spec: Artifact) -> str:
    """Folder in the image that the binding ARTIFACT_<NAME> names."""
    return str(ARTIFACTS / name / spec.home)


def party_namespace(stack: Stack, party: str) -> str:
    """Namespace of a component's pods, of one of its processes (airflow/triggerer), or of an identity's."""
    name = party.partition("/")[0]
    identity = stack.file.identities.get(name)
    return namespace(stack, identity.component if identity else name)


def labels(stack: Stack, component: str, process: str = "", platform: str = "") -> dict[str, str]:
    """Labels of the objects of a component."""
    found = {NAME: component, INSTANCE: component, PART_OF: stack.file.name, MANAGED_BY: MANAGER}
    return found | ({COMPONENT: process} if process else {}) | ({PLATFORM_ID: platform} if platform else {})
