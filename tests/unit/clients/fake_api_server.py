"""A small API server on a loopback port: answers that a test lays down, objects that it keeps, and websockets."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.unit.clients.fake_objects import Key, Objects, Refused

JSON, APPLY, MERGE = "application/json", "application/apply-patch+yaml", "application/merge-patch+json"
Answer = tuple[int, Any]
#: Of (method, path, query, body).
Handler = Callable[[str, str, dict[str, str], Any], Answer | Iterator[bytes] | None]

KINDS = {
    "/api/v1": {"Pod": "pods", "Secret": "secrets", "Service": "services", "Node": "nodes", "Namespace": "namespaces"},
    "/apis/apps/v1": {"Deployment": "deployments"},
    "/apis/discovery.k8s.io/v1": {"EndpointSlice": "endpointslices"},
}


class Frames:
    """The server's side of a websocket: whole frames, a byte of channel before the data."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader, self._writer = reader, writer

    def send(self, channel: int, data: bytes, *, opcode: int = 2) -> None:
        payload = bytes([channel]) + data if opcode == 2 else data
        size = len(payload)
        head = bytes([0x80 | opcode, size]) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 126, size)
        if size > 65535:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
        self._writer.write(head + payload)
        self._writer.flush()

    def receive(self) -> tuple[int, bytes] | None:
        """Opcode and data of the next frame; None when the client has gone."""
        head = self._reader.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack("!H", self._reader.read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._reader.read(8))[0]
        mask = self._reader.read(4)
        data = self._reader.read(size)
        full = int.from_bytes(data, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        return head[0] & 0x0F, full.to_bytes(size, "big")


class FakeApiServer:
    """Listens on 127.0.0.1.

    Attributes:
        answer: what a test lays down; where it gives None, the request is one for `objects`.
        objects: what is there.
        seen: method, path, query and body of all requests but discovery.
        streams: what serves the websockets of a path; a path that is not here answers 404.
    """

    def __init__(self, answer: Handler | None = None) -> None:
        self.answer = answer or (lambda *_: None)
        self.objects = Objects()
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.headers: list[dict[str, str]] = []
        self.streams: dict[str, Callable[[Frames, list[tuple[str, str]]], None]] = {}
        fake = self

        class Serve(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                fake.serve(self)

            do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

        # It has a port at once, and listens while it is running.
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Serve, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[FakeApiServer]:
        self._server.server_activate()
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self.close()
            thread.join()

    def close(self) -> None:
        """Give its port back, when it was not running too."""
        self._server.server_close()

    def kubeconfig(self, folder: Path, *names: str) -> Path:
        """A kubeconfig with contexts of these names."""
        return write_kubeconfig(folder, self.host, *names)

    def serve(self, request: Any) -> None:
        url = urlsplit(request.path)
        query = parse_qsl(url.query)
        if request.headers.get("Upgrade") == "websocket":
            self._upgrade(request, url.path, query)
            return
        size = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(size)) if size else None
        if kinds := KINDS.get(url.path):
            found = [{"name": plural, "kind": kind, "namespaced": kind not in ("Node", "Namespace")}
                     for kind, plural in kinds.items()]  # fmt: skip
            self._reply(request, (200, {"resources": found}))
            return
        self.seen.append((request.command, url.path, dict(query), body))
        self.headers.append(dict(request.headers))
        answer = self.answer(request.command, url.path, dict(query), body)
        if answer is None:
            answer = self._keep(request.command, url.path, dict(query), body, request.headers.get("Content-Type", ""))
        if isinstance(answer, tuple):
            self._reply(request, answer)
            return
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        for chunk in answer:
            request.wfile.write(chunk)
            request.wfile.flush()
        request.close_connection = True

    def _keep(self, method: str, path: str, query: dict[str, str], body: Any, form: str) -> Answer:
        """What happens to the objects; 404 for what is none."""
        key = _key(path)
        if key is None:
            return 404, status("NotFound", f"{path} not found", 404)
        manager, objects = query.get("fieldManager", "somebody"), self.objects
        options = {"force": query.get("force") == "true", "dry_run": query.get("dryRun") == "All"}
        acts: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", JSON): lambda: objects.get(key) if key[2] else _list(objects, key, query),
            ("POST", JSON): lambda: objects.create(body, manager),
            ("PATCH", APPLY): lambda: objects.apply(body, manager, **options),
            ("PATCH", MERGE): lambda: objects.merge(key, body, manager),
            ("DELETE", JSON): lambda: objects.delete(key),
        }
        if (method, form) not in acts:
            return 415, status("UnsupportedMediaType", f"{method} of {form}", 415)
        try:
            return 201 if method == "POST" else 200, acts[method, form]()
        except Refused as refusal:
            return refusal.code, status(refusal.reason, str(refusal), refusal.code)

    def _reply(self, request: Any, answer: Answer) -> None:
        code, content = answer
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        request.send_response(code)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _upgrade(self, request: Any, path: str, query: list[tuple[str, str]]) -> None:
        self.seen.append(("UPGRADE", path, dict(query), None))
        self.headers.append(dict(request.headers))
        serve = self.streams.get(path)
        if serve is None:
            self._reply(request, (404, status("NotFound", f"{path} not found", 404)))
            return
        key = request.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        request.send_response(101)
        request.send_header("Upgrade", "websocket")
        request.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        request.send_header("Sec-WebSocket-Accept", accept)
        request.send_header("Sec-WebSocket-Protocol", request.headers["Sec-WebSocket-Protocol"])
        request.end_headers()
        request.wfile.flush()
        request.close_connection = True
        serve(Frames(request.rfile, request.wfile), query)


def _key(path: str) -> Key | None:
    """Kind, namespace and name (empty for all of them) of a path; None where it is none of an object."""
    for base, kinds in KINDS.items():
        named = {plural: kind for kind, plural in kinds.items()}
        match path.removeprefix(f"{base}/").split("/"):
            case ["namespaces", space, plural, *name] if plural in named and len(name) < 2:
                return named[plural], space, "".join(name)
            case [plural, *name] if plural in named and len(name) < 2:
                return named[plural], "", "".join(name)
    return None


def _list(objects: Objects, key: Key, query: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {}, "items": objects.list(key[0], key[1], query.get("labelSelector", ""))}


def status(reason: str, message: str, code: int) -> dict[str, Any]:
    """The body of a refusal."""
    return {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}


def write_kubeconfig(folder: Path, host: str, *names: str) -> Path:
    """A kubeconfig with contexts of these names, all of one server."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": names[0],
        "clusters": [{"name": "fake", "cluster": {"server": host}}],
        "users": [{"name": "someone", "user": {"token": "sesame"}}],
        "contexts": [{"name": name, "context": {"cluster": "fake", "user": "someone"}} for name in names],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
