"""A server that speaks TLS with a certificate of an authority of its own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"
_DAY = dt.timedelta(days=1)


class Authority(NamedTuple):
    """Files of an authority, and of a certificate for 127.0.0.1 that is from it.

    Attributes:
        ca: who trusts it trusts the server.
        certificate: the server's, with its key.
    """

    ca: Path
    certificate: Path


def authority(folder: Path) -> Authority:
    """Make one.

    Args:
        folder: for its files; made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    its_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    its_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {folder.name}")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    own = _builder(its_name, its_name, its_key.public_key())
    own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    own = own.add_extension(usage, critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(its_key.public_key())
    ca = own.add_extension(identifier, critical=False).sign(its_key, hashes.SHA256())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    of_server = _builder(name, its_name, key.public_key()).add_extension(address, critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(its_key.public_key())
    certificate = of_server.add_extension(issuer, critical=False).sign(its_key, hashes.SHA256())
    found = Authority(folder / "ca.pem", folder / "server.pem")
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    found.ca.write_bytes(ca.public_bytes(pem))
    found.certificate.write_bytes(certificate.public_bytes(pem) + secret)
    return found


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(now - _DAY).not_valid_after(now + _DAY)


@contextmanager
def served(handler: type[BaseHTTPRequestHandler], certificate: Path) -> Iterator[str]:
    """Address of a server on a free loopback port that answers by TLS, for as long as the context lasts."""
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    # A handshake that a client breaks off ends with its own connection, in its own thread.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"https://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
