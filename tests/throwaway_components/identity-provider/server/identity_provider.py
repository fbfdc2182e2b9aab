"""Gives clients signed tokens: discovery and keys of OpenID Connect, client credentials of OAuth."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_SECONDS = 300
_ALGORITHM, _KEY_ID = "RS256", "only"
_Answer = tuple[int, str, str]


def private_key(file: Path) -> rsa.RSAPrivateKey:
    """The key in a file, made at the first start."""
    if file.exists():
        found = serialization.load_pem_private_key(file.read_bytes(), password=None)
        assert isinstance(found, rsa.RSAPrivateKey)
        return found
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.touch(0o600)
    file.write_bytes(pem)
    return made


class Provider:
    """Who may have a token, and what has been given.

    Args:
        clients: name and sha256 of the secret of each.
        key: signs.
        issuer: address by which readers of tokens know it.
        url: address by which clients reach it.
    """

    def __init__(self, clients: list[dict[str, str]], key: rsa.RSAPrivateKey, issuer: str, url: str) -> None:
        self._clients = {client["name"]: client["sha256"] for client in clients}
        self._key, self._issuer, self._url = key, issuer, url
        self._given: Counter[str] = Counter(dict.fromkeys(self._clients, 0))

    def page(self, path: str) -> _Answer:
        """Answer to GET."""
        if path == "/metrics":
            lines = [f'identity_provider_tokens_total{{client="{name}"}} {n}' for name, n in self._given.items()]
            return (
                200,
                "text/plain; version=0.0.4",
                "\n".join(["# TYPE identity_provider_tokens_total counter", *lines, ""]),
            )
        pages: dict[str, dict[str, Any]] = {
            "/": {"issuer": self._issuer},
            "/.well-known/openid-configuration": {
                "issuer": self._issuer,
                "token_endpoint": f"{self._url}/token",
                "jwks_uri": f"{self._url}/jwks",
                "grant_types_supported": ["client_credentials"],
                "id_token_signing_alg_values_supported": [_ALGORITHM],
            },
            "/jwks": {"keys": [self._public()]},
        }
        if path in pages:
            return _json(200, pages[path])
        return _json(405 if path == "/token" else 404, {"error": "invalid_request"})

    def _public(self) -> dict[str, Any]:
        found: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return found | {"kid": _KEY_ID, "use": "sig", "alg": _ALGORITHM}

    def token(self, authorization: str, form: dict[str, list[str]]) -> _Answer:
        """Answer to POST /token: RFC 6749, 4.4, with the client's name and secret as Basic authentication."""
        if form.get("grant_type") != ["client_credentials"]:
            return _json(400, {"error": "unsupported_grant_type"})
        try:
            name, _, secret = (
                base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            return _json(401, {"error": "invalid_client"})
        digest = hashlib.sha256(secret.encode()).hexdigest()
        if not hmac.compare_digest(self._clients.get(name, ""), digest):
            return _json(401, {"error": "invalid_client"})
        now = int(time.time())
        claims = {"iss": self._issuer, "sub": name, "aud": name, "iat": now, "exp": now + _SECONDS}
        signed = jwt.encode(claims, self._key, _ALGORITHM, headers={"kid": _KEY_ID})
        self._given[name] += 1
        return _json(200, {"access_token": signed, "token_type": "Bearer", "expires_in": _SECONDS})


def _json(status: int, content: dict[str, Any]) -> _Answer:
    return status, "application/json", json.dumps(content)


class Handler(BaseHTTPRequestHandler):
    """Pages and tokens of the provider."""

    provider: Provider

    def do_GET(self) -> None:
        """Answer."""
        self._answer(*self.provider.page(self.path))

    def do_POST(self) -> None:
        """Answer."""
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
        known = self.path == "/token"
        self._answer(*(self.provider.token(self.headers.get("Authorization", ""), form) if known else _json(404, {})))

    def _answer(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    known = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    key = private_key(Path(os.environ["DATA"]) / "key.pem")
    Handler.provider = Provider(
        known, key, os.environ["IDENTITY_PROVIDER_HTTP_PUBLIC_URL"], os.environ["IDENTITY_PROVIDER_HTTP_URL"]
    )
    place = os.environ["BIND"], int(os.environ["IDENTITY_PROVIDER_HTTP_PORT"])
    ThreadingHTTPServer(place, Handler).serve_forever()
