"""How a component runs: what is said of all its jobs and processes, and what a target says over it."""

from __future__ import annotations

from typing import Any

from data_platform.stack.definition import Kubernetes, Local

READY = {"command": ["true"]}


def process(**environment: str) -> dict[str, Any]:
    return {"command": ["serve"], "ready": READY, "environment": environment}


def test_the_environment_of_all_is_that_of_each_job_and_process_and_of_no_tool() -> None:
    said = {
        "environment": {"A": "all", "B": "all"},
        "jobs": {"migrate": {"command": ["migrate"]}},
        "processes": {"server": process(B="own"), "worker": process(C="own")},
        "tools": {"look": {"command": ["look"]}},
    }
    found = Local.model_validate(said).whole()
    assert found.jobs["migrate"].environment == {"A": "all", "B": "all"}
    assert found.processes["server"].environment == {"A": "all", "B": "own"}
    assert found.processes["worker"].environment == {"A": "all", "B": "all", "C": "own"}
    assert found.tools["look"].environment == {}


def test_a_target_adds_to_the_environment_of_all_whoever_defines_the_processes() -> None:
    local = Local.model_validate({"environment": {"A": "all", "B": "all"}, "processes": {"server": process(C="own")}})
    more = {"environment": {"B": "here", "D": "here"}}
    inherited = Kubernetes.model_validate(more).over(local).whole()
    assert inherited.processes["server"].environment == {"A": "all", "B": "here", "C": "own", "D": "here"}
    replaced = Kubernetes.model_validate({**more, "processes": {"server": process()}}).over(local).whole()
    assert replaced.processes["server"].environment == {"A": "all", "B": "here", "D": "here"}
    assert replaced.environment == {"A": "all", "B": "here", "D": "here"}
