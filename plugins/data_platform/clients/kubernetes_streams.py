"""Commands in a pod and connections to its ports, over the API server's websockets.

Built on websocket-client, which the official package uses too. Its own `stream` and `portforward` know no deadline,
cannot close stdin on all versions, take the environment's proxy, and copy each byte through two more threads.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException

from data_platform.clients.kubernetes_errors import TIMEOUT, ClusterError, away, refused

#: With v5 a client can say that stdin has ended; port forwarding knows v4 alone.
EXEC, FORWARD = "v5.channel.k8s.io", "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_CHUNK = 32 * 1024
_READ, _WRITE = select.POLLIN | select.POLLHUP | select.POLLERR, select.POLLOUT


class Executed(NamedTuple):
    """Outcome of a command in a pod."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Access(NamedTuple):
    """How to speak to an API server: address, headers that say who we are, and trust (None: plain HTTP)."""

    host: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None
    server_name: str | None = None


class Channels:
    """Frames of one websocket: a byte that names the channel, then data. Never blocks; for one thread."""

    def __init__(self, access: Access, path: str, query: list[tuple[str, str]], protocol: str, seconds: float) -> None:
        """Open it.

        Raises:
            ClusterError: the API server refuses, or cannot be reached.
        """
        self._socket = WebSocket(
            sslopt={"context": access.tls, "server_hostname": access.server_name} if access.tls else {},
            # Whatever poll calls writable takes a whole chunk.
            sockopt=[(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)],
            skip_utf8_validation=True,
        )
        headers = [f"{name}: {value}" for name, value in access.headers.items()]
        url = access.host.replace("http", "ws", 1) + path + "?" + urlencode(query)
        try:
            # Like all our clients: no proxy of the environment.
            self._socket.connect(  # type: ignore[no-untyped-call] # the package types the rest
                url, header=headers, subprotocols=[protocol], timeout=seconds, http_no_proxy=["*"], suppress_origin=True
            )
        except WebSocketBadStatusException as error:
            raise refused(path, error.status_code, error.resp_body or b"") from None
        except (WebSocketException, OSError) as error:
            raise away(access.host, error) from None
        self._raw: socket.socket = self._socket.sock  # type: ignore[assignment] # it is connected
        self._raw.setblocking(False)
        self._out = bytearray()
        self._last = 0
        self.open = True

    def close(self) -> None:
        """End the connection at once."""
        self.open = False
        self._raw.close()

    @property
    def waiting(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._out)

    def put(self, channel: int, data: bytes) -> None:
        """Send data on a channel, as soon as the connection takes it."""
        self._out += ABNF.create_frame(bytes([channel]) + data, ABNF.OPCODE_BINARY).format()

    def poll(self, seconds: float, read: bool = True, other: socket.socket | None = None, events: int = 0) -> int:
        """Send what waits, and return when there is something to do: for us, or one of `events` of another socket.

        Returns:
            What may be done with the other socket.
        """
        ready = select.poll()
        if self.open and (ours := (_READ if read else 0) | (_WRITE if self._out else 0)):
            ready.register(self._raw, ours)
        if other is not None and events:
            ready.register(other, events)
        # What TLS has decrypted already is not seen by poll.
        ahead = self.open and read and isinstance(self._raw, ssl.SSLSocket) and self._raw.pending() > 0
        found = dict(ready.poll(0 if ahead else max(0.0, seconds) * 1000))
        if found.get(self._raw.fileno(), 0) & _WRITE:
            self._send()
        return found.get(other.fileno(), 0) if other is not None else 0

    def _send(self) -> None:
        try:
            sent = self._raw.send(memoryview(self._out)[:_CHUNK].tobytes())
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError:
            self.open = False
            return
        del self._out[:sent]

    def take(self) -> Iterator[tuple[int, bytes]]:
        """What has come in, as (channel, data)."""
        while self.open:
            try:
                frame = self._socket.recv_frame()  # type: ignore[no-untyped-call] # see above
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except (WebSocketException, OSError):
                self.open = False
                return
            if frame.opcode == ABNF.OPCODE_CLOSE:
                self.open = False
            elif frame.opcode == ABNF.OPCODE_PING:
                # Not by the package, which would write it into the middle of a frame of ours.
                self._out += ABNF.create_frame(frame.data, ABNF.OPCODE_PONG).format()
            elif frame.opcode == ABNF.OPCODE_CONT:
                yield self._last, frame.data
            elif frame.opcode in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) and frame.data:
                self._last = frame.data[0]
                yield self._last, frame.data[1:]


def execute(channels: Channels, stdin: bytes, seconds: float, what: str) -> Executed:
    """Feed a started command and gather what it says until it ends.

    Args:
        channels: opened for `exec` with stdin, stdout and stderr.
        stdin: all that it reads.
        seconds: deadline.
        what: the command and its pod, for errors.

    Raises:
        ClusterError: it takes too long, cannot be started, or the connection broke.
    """
    end = time.monotonic() + seconds
    gathered = {_STDOUT: bytearray(), _STDERR: bytearray(), _ERROR: bytearray()}
    left: memoryview | None = memoryview(stdin)
    while channels.open:
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not done after {seconds:.0f} s", "look at the pod's log and its load", TIMEOUT)
        if left is not None and not channels.waiting:
            channels.put(_STDIN, left[:_CHUNK].tobytes()) if left else channels.put(_CLOSE, bytes([_STDIN]))
            left = left[_CHUNK:] if left else None
        channels.poll(min(1.0, end - time.monotonic()))
        for channel, data in channels.take():
            if channel in gathered:
                gathered[channel] += data
    return Executed(_returncode(bytes(gathered[_ERROR]), what), bytes(gathered[_STDOUT]), bytes(gathered[_STDERR]))


def _returncode(status: bytes, what: str) -> int:
    """Exit code out of the Status that ends the error channel."""
    try:
        content = json.loads(status)
    except ValueError:
        raise ClusterError(
            f"{what}: the connection broke before the command ended",
            "look whether the pod and the API server still run, then run it again",
        ) from None
    if content.get("status") == "Success":
        return 0
    for cause in (content.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise refused(what, int(content.get("code") or 500), status)


def pump(channels: Channels, local: socket.socket) -> str:
    """Carry bytes between a forwarded port (channel 0) and a local connection until one of them ends.

    Returns:
        What the other side said went wrong (channel 1); empty when nothing did.
    """
    local.setblocking(False)
    # The first frame of a channel only says the port.
    inbound, said, seen = bytearray(), bytearray(), set[int]()
    try:
        # One direction never waits for the other, and neither holds more than a chunk and a frame.
        while _exchange(channels, local, inbound):
            for channel, data in channels.take() if not inbound else ():
                if channel in seen:
                    (said if channel else inbound).extend(data)
                seen.add(channel)
                if len(inbound) >= _CHUNK:
                    break
    except OSError:
        pass  # The local side is gone.
    finally:
        channels.close()
    return said.decode(errors="replace")


def _exchange(channels: Channels, local: socket.socket, inbound: bytearray) -> bool:
    """Wait, then send what waits for the local side, or take what it says; False when one of them has ended."""
    if not channels.open and not inbound:
        return False
    events = (_WRITE if inbound else 0) | (_READ if channels.open and not channels.waiting else 0)
    ready = channels.poll(60.0, not inbound, local, events)
    if inbound and ready & (_WRITE | select.POLLHUP | select.POLLERR):
        del inbound[: local.send(inbound)]
    elif ready & _READ:
        if not (data := local.recv(_CHUNK)):
            return False
        channels.put(0, data)
    return True
