"""Refusals, in the form that DataHub's clients read: a JSON object with `message`, `status` and `exceptionClass`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


class RefusedError(Exception):
    """A request that is not carried out; nothing of it was stored."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class InvalidError(RefusedError):
    """The metadata itself is wrong: no such aspect, not its shape, not a URN."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, message)


class MissingError(RefusedError):
    """There is no such entity, aspect or call."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, message)


def body(status: HTTPStatus, message: str) -> dict[str, Any]:
    """The JSON object that tells a client of a refusal."""
    return {
        "exceptionClass": "com.linkedin.restli.server.RestLiServiceException",
        "message": message,
        "status": int(status),
    }
