"""Who may come in: programs with the bearer token, people with a cookie that the login form gives for it.

Everything is closed but the few paths named here. The cookie opens the pages only, never the API, so no other site can
make a browser write.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from datahub_lite import errors

COOKIE = "datahub_lite_session"
LOGIN = "/login"
#: Seconds until a person must log in again.
SESSION_SECONDS = 12 * 3600
_OPEN = frozenset({"/config", "/health", LOGIN})
#: Paths for people; all others are for programs.
_PAGES = frozenset({"/", "/entity", "/logout"})
_SCHEME = "bearer "


def same(left: str, right: str) -> bool:
    """Whether two texts are equal, in a time that does not tell how far they are."""
    return hmac.compare_digest(left.encode(), right.encode())


def _signature(token: str, ends: str) -> str:
    return hmac.new(token.encode(), f"session until {ends}".encode(), hashlib.sha256).hexdigest()


def new_session(token: str) -> str:
    """Value of a cookie: when the session ends, signed with the token. A new token ends all sessions."""
    ends = str(int(time.time()) + SESSION_SECONDS)
    return f"{ends}.{_signature(token, ends)}"


def is_session(token: str, cookie: str) -> bool:
    """Whether a cookie is one of ours and has not ended."""
    ends, _, signature = cookie.partition(".")
    return same(signature, _signature(token, ends)) and ends.isdecimal() and int(ends) > time.time()


class Guard:
    """ASGI middleware that lets nothing through without the token or a session, before anything of it is read."""

    def __init__(self, app: ASGIApp, token: str, tokens: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._token = token
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 (programs) or with the login page (people)."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._may_pass(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._refusal(scope)(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path, headers = scope["path"], Headers(scope=scope)
        if path in _OPEN:
            return True
        given = headers.get("authorization", "")
        if given[: len(_SCHEME)].lower() == _SCHEME and self._is_known(given[len(_SCHEME) :].strip()):
            return True
        return path in _PAGES and is_session(self._token, cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))

    def _is_known(self, token: str) -> bool:
        # Looking a digest up tells nothing of the tokens: who can choose it cannot choose what it is of.
        return same(token, self._token) or hashlib.sha256(token.encode()).hexdigest() in self._tokens

    def _refusal(self, scope: Scope) -> Response:
        if scope["path"] in _PAGES:
            query = scope["query_string"].decode("latin-1")
            wanted = scope["path"] + (f"?{query}" if query else "") if scope["method"] == "GET" else "/"
            return RedirectResponse(f"{LOGIN}?to={quote(wanted, safe='')}", HTTPStatus.SEE_OTHER)
        message = "Unauthorized to perform this action: send the header `Authorization: Bearer <token>`."
        return JSONResponse(
            errors.body(HTTPStatus.UNAUTHORIZED, message), HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}
        )
