"""Where an environment names the certificates of the platform's own servers, these alone are trusted."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.targets.local.target import LocalTarget
from tests.certificates import authority, served
from tests.unit.targets.local.conftest import deploy, short, steps

if TYPE_CHECKING:
    from tests.conftest import Tiny


class Page(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_certificates_of_the_platforms_own_servers_are_a_file_of_each_component(
    place: LocalTarget, tmp_path: Path
) -> None:
    assert place.authorities is None
    assert place._bindings("reader").open["CA_FILE"] == ""
    deploy(place)
    certificates = tmp_path / "bank.pem"
    certificates.write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    trusting = LocalTarget(place.stack, place.state, {"authorities": str(certificates)})
    assert trusting.authorities == certificates
    assert trusting._bindings("reader").open["CA_FILE"] == f"{place.state.etc('reader')}/ca.pem"
    assert "write file ca.pem" in short(steps(trusting))
    deploy(trusting)
    assert (place.state.etc("reader") / "ca.pem").read_text() == "-----BEGIN CERTIFICATE-----\n"
    # Taken back, the file goes.
    assert "remove file ca.pem" in short(steps(LocalTarget(place.stack, place.state)))


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("a key\n", "holds no certificate")])
def test_a_file_without_certificates_is_named(
    place: LocalTarget, tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "bank.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(PlatformError, match=f"environment: authorities: {file} {said}"):
        LocalTarget(place.stack, place.state, {"authorities": str(file)}).wanted("reader")


@pytest.mark.enable_socket
def test_a_server_of_tls_is_waited_for_by_the_certificates_that_the_environment_names(
    place: LocalTarget, tiny: Tiny, tmp_path: Path
) -> None:
    deploy(place)
    trusted = authority(tmp_path / "trusted")
    with served(Page, trusted.certificate) as url:
        ready = {"http": f"{url}/", "contains": "hello", "within": 0.1}
        tiny.edit(tiny.local("reader"), lambda c: c["processes"]["server"].update(ready=ready))
        stack = load_stack(tiny.root)
        LocalTarget(stack, place.state, {"authorities": str(trusted.ca)}).wait("reader")
        with pytest.raises(PlatformError, match=r"(?i)certificate.verify.failed"):
            LocalTarget(stack, place.state).wait("reader")
