"""Package clients are told where packages come from, and nothing of where else they could be put."""

from __future__ import annotations

import json

import pytest

from data_platform.clients import registries
from data_platform.clients.registries import PROXIES, for_clients, without_proxies


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("PIP_INDEX_URL", True),
        ("PIP_CERT", True),
        ("PIP_USER", False),
        ("PIP_TARGET", False),
        ("PIP_PREFIX", False),
        ("PIP_NO_BINARY", False),
        ("PIP_REQUIRE_VIRTUALENV", False),
        ("pip_user", False),
        ("UV_DEFAULT_INDEX", True),
        ("UV_INDEX_MIRROR_PASSWORD", True),
        ("UV_SYSTEM_CERTS", True),
        ("UV_PYTHON", False),
        ("UV_SYSTEM_PYTHON", False),
        ("UV_PROJECT_ENVIRONMENT", False),
        ("UV_CONSTRAINT", False),
        ("UV_NO_BINARY", False),
        ("PYTHONPATH", False),
        ("VIRTUAL_ENV", False),
        ("CONDA_PREFIX", False),
        ("GOPROXY", True),
        ("GOOS", False),
        ("GOWORK", False),
        ("MAVEN_OPTS", True),
        ("HOME", True),
        ("PIPX_HOME", True),
    ],
)
def test_a_setting_is_the_users_or_ours(name: str, kept: bool) -> None:
    assert for_clients({name: "x"}) == ({name: "x"} if kept else {})


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1080", "socks5h://u:p@proxy:1", "proxy:3128", "http://a b"])
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "http_proxy"])
def test_a_proxy_that_python_cannot_use_is_set_aside_and_given_to_package_clients(name: str, value: str) -> None:
    left = without_proxies({name: value, "NO_PROXY": "mirror", "PATH": "/bin"})
    assert left == {"NO_PROXY": "mirror", "PATH": "/bin", PROXIES: json.dumps({name: value})}
    assert for_clients(left)[name] == value
    # Once more, by a command that starts anew.
    assert without_proxies(left) == left


def test_a_proxy_that_can_be_used_is_there_and_noted_for_those_who_inherit_the_note_alone() -> None:
    given = {"HTTPS_PROXY": "http://user:secret@proxy:3128"}
    left = without_proxies(given)
    assert left == given | {PROXIES: json.dumps(given)}
    assert for_clients({PROXIES: left[PROXIES]})["HTTPS_PROXY"] == given["HTTPS_PROXY"]


def test_who_has_no_proxy_is_told_none() -> None:
    assert without_proxies({"PATH": "/bin", "HTTP_PROXY": ""}) == {"PATH": "/bin"}
    assert "config_file" in registries.PIP_OPTIONS
