"""Certificates of a cluster and the kubeconfigs that hold them. Made once; they are worth nothing elsewhere."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import shutil
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bootstrap.cluster.layout import API_PORT, API_SERVICE, CONTEXT, DOMAIN, NODE, Layout
from data_platform.targets.local.state import write_private

_DAYS = 3650
#: Who speaks to the API server, with the name and group by which Kubernetes' own roles know them.
_CLIENTS = {
    "admin": ("data-platform-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
}
ADMIN = "admin"


class Pair(NamedTuple):
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("data-platform-test-ca", "")
        certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.own = Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(self._key))

    def issue(self, name: str, organization: str, names: tuple[str, ...] = (), addresses: tuple[str, ...] = ()) -> Pair:
        """A certificate for a server or a client, or both.

        Args:
            name: its common name; for Kubernetes the user.
            organization: for Kubernetes the group; may be empty.
            names: host names of a server.
            addresses: IP addresses of a server.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            _builder(_name(name, organization), self._name, key)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        )
        if names or addresses:
            alternatives = [x509.DNSName(text) for text in names]
            numbers = [x509.IPAddress(ipaddress.ip_address(text)) for text in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName([*alternatives, *numbers]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def _name(name: str, organization: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of virtual machines may go back a little.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make(layout: Layout, address: str) -> None:
    """Certificates, keys and kubeconfigs, unless they are there.

    Args:
        layout: of the cluster.
        address: of the node.
    """
    if layout.pki.exists():
        return
    draft = layout.pki.with_name("pki.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    authority = Authority()
    services = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{DOMAIN}")
    pairs = {
        "ca": authority.own,
        "apiserver": authority.issue(
            "kube-apiserver", "", ("localhost", *services), ("127.0.0.1", address, API_SERVICE)
        ),
        "kubelet-client": authority.issue("kube-apiserver-kubelet-client", "system:masters"),
        "kubelet-server": authority.issue(f"system:node:{NODE}", "system:nodes", (NODE,), (address, "127.0.0.1")),
        **{name: authority.issue(*subject) for name, subject in _CLIENTS.items()},
    }
    for name, pair in pairs.items():
        write_private(draft / f"{name}.crt", pair.certificate.decode())
        write_private(draft / f"{name}.key", pair.key.decode())
    # Signs the tokens of service accounts.
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(draft / "accounts.key", _pem(key).decode())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_private(draft / "accounts.pub", public.decode())
    for name in _CLIENTS:
        text = _kubeconfig(f"https://{address}:{API_PORT}", authority.own.certificate, pairs[name])
        write_private(draft / f"{name}.kubeconfig", text)
    write_private(layout.kubeconfig, (draft / f"{ADMIN}.kubeconfig").read_text(encoding="utf-8"))
    draft.rename(layout.pki)


def _kubeconfig(server: str, authority: bytes, pair: Pair) -> str:
    """A kubeconfig that needs no other file. JSON is YAML."""

    def text(content: bytes) -> str:
        return base64.b64encode(content).decode()

    user = {"client-certificate-data": text(pair.certificate), "client-key-data": text(pair.key)}
    cluster = {"server": server, "certificate-authority-data": text(authority)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "current-context": CONTEXT,
    }
    return json.dumps(content, indent=2) + "\n"


def kubeconfig_of(layout: Layout, client: str) -> Path:
    """Kubeconfig of one of the clients."""
    return layout.pki / f"{client}.kubeconfig"
