"""Certificates: issued once, for the names and addresses by which servers are called."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from bootstrap.cluster import pki
from bootstrap.cluster.layout import CONTEXT, Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "state")
    pki.make(found, "10.90.0.1")
    return found


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _value(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    (found,) = certificate.subject.get_attributes_for_oid(oid)
    return str(found.value)


def test_all_certificates_are_of_the_authority(layout: Layout) -> None:
    authority = _read(layout.pki / "ca.crt")
    others = [path for path in layout.pki.glob("*.crt") if path.name != "ca.crt"]
    assert len(others) == 8
    for path in others:
        _read(path).verify_directly_issued_by(authority)


def test_the_api_server_is_known_by_every_name_that_it_is_called_by(layout: Layout) -> None:
    names = _read(layout.pki / "apiserver.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc.cluster.local" in names.get_values_for_type(x509.DNSName)
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.90.0.1", "10.96.0.1"}


def test_clients_are_who_kubernetes_takes_them_for(layout: Layout) -> None:
    kubelet = _read(layout.pki / "kubelet.crt")
    assert _value(kubelet, NameOID.COMMON_NAME) == "system:node:node"
    assert _value(kubelet, NameOID.ORGANIZATION_NAME) == "system:nodes"
    assert _value(_read(layout.pki / "admin.crt"), NameOID.ORGANIZATION_NAME) == "system:masters"


def test_the_kubeconfig_needs_no_other_file_and_is_read_by_its_owner_only(layout: Layout) -> None:
    content = json.loads(layout.kubeconfig.read_text())
    assert content["current-context"] == CONTEXT
    assert content["clusters"][0]["cluster"]["server"] == "https://10.90.0.1:6443"
    authority = base64.b64decode(content["clusters"][0]["cluster"]["certificate-authority-data"])
    assert authority == (layout.pki / "ca.crt").read_bytes()
    assert layout.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in layout.pki.iterdir())


def test_the_second_time_nothing_changes(layout: Layout) -> None:
    before = {path: path.read_bytes() for path in layout.pki.iterdir()}
    pki.make(layout, "10.90.0.1")
    assert {path: path.read_bytes() for path in layout.pki.iterdir()} == before


def test_what_an_interrupted_time_left_is_made_anew(tmp_path: Path) -> None:
    found = Layout(tmp_path / "state")
    (found.folder / "pki.draft").mkdir(parents=True)
    (found.folder / "pki.draft" / "ca.crt").write_text("half")
    pki.make(found, "10.90.0.1")
    assert _read(found.pki / "ca.crt")
    assert not (found.folder / "pki.draft").exists()
