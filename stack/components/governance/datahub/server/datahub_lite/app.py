"""The application: store, routes, guard, and how errors are answered."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from datahub_lite import api, auth, errors, pages
from datahub_lite.settings import Settings
from datahub_lite.store import Store

_log = logging.getLogger("datahub_lite")


def create(settings: Settings) -> FastAPI:
    """The ASGI application.

    Raises:
        sqlite3.Error: the store cannot be opened.
    """
    store = Store(settings.store)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        store.close()

    app = FastAPI(title="DataHub Lite endpoint", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings, app.state.store = settings, store
    app.add_middleware(auth.Guard, token=settings.token, tokens=settings.tokens)
    app.include_router(pages.router)
    app.include_router(api.router)
    app.add_exception_handler(errors.RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _wrong_call)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, errors.RefusedError) else HTTPStatus.BAD_REQUEST
    if status not in (HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED):
        _log.warning("refused %s %s: %d %s", request.method, request.url.path, status, error)
    return JSONResponse(errors.body(status, str(error)), status)


async def _wrong_call(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    status = HTTPStatus.BAD_REQUEST
    return JSONResponse(errors.body(status, f"{'.'.join(map(str, found['loc']))}: {found['msg']}"), status)


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
    return JSONResponse(errors.body(status, f"{request.method} {request.url.path}: {status.phrase}"), status)


async def _broken(_request: Request, error: Exception) -> JSONResponse:
    # The traceback is in the log: Starlette raises the error again after this answer.
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return JSONResponse(errors.body(status, f"{type(error).__name__}: see the log of the endpoint"), status)
