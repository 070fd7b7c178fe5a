"""Every failure in the shape that OpenAI's clients read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from modules.api.schemas import ErrorAnswer
from modules.core_components.atomic import explain_write_error, is_refused_write
from modules.core_components.errors import (
    BadInputError,
    JobCancelled,
    ModelBusyError,
    NotFoundError,
    RemoteError,
    StudioError,
)
from modules.tools.models.library import ModelInUseError
from modules.tools.speaking.request_queue import QueueFullError, RequestIdTakenError
from modules.tools.speaking.voice_lookup import UnknownVoiceError

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
_UNEXPECTED = "The studio failed; its log says why."
_CLIENT_LEFT = 499  # for the log only
_STATUS: tuple[tuple[type[StudioError], int, str], ...] = (
    (RequestIdTakenError, 409, "request_id_taken"),
    (ModelInUseError, 409, "model_in_use"),
    (UnknownVoiceError, 400, "voice_not_found"),
    (BadInputError, 400, "invalid_value"),
    (NotFoundError, 404, "not_found"),
    (QueueFullError, 429, "queue_full"),
    (ModelBusyError, 429, "model_busy"),
    (RemoteError, 502, "remote_failed"),
    # All others are the state of this machine: no weights, no room, no network.
    (StudioError, 503, "not_available"),
)
# What pydantic calls a body that is not an object.
_NO_OBJECT = ("model_attributes_type", "model_type", "dict_type", "missing")
# Fields that OpenAI calls otherwise than the studio.
_PARAMS: Mapping[str, str] = {"text": "input", "initial_prompt": "prompt"}

# For the documentation of every route.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "Refused, with the reason."},
    502: {"model": ErrorAnswer, "description": "Another machine did not deliver."},
    503: {"model": ErrorAnswer, "description": "Not possible on this machine now."},
}


class ApiError(Exception):
    """A refusal that names the parameter at fault; `code` is for programs."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


def error_body(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """OpenAI's error object."""
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code or None}}


def error_response(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> JSONResponse:
    """OpenAI's error object as an answer; 429 and 503 say when to try again."""
    again = {"Retry-After": str(RETRY_AFTER_S)} if status in (429, 503) else None
    return JSONResponse(error_body(status, message, param, code), status, again)


def describe_error(error: Exception) -> dict[str, Any]:
    """The error object for a stream whose status was sent already."""
    if isinstance(error, StudioError):
        status, code = _status_of(error)
        return error_body(status, str(error), _param(error), code)
    return error_body(500, _UNEXPECTED, None, "server_error")


def blame(param: str, error: StudioError, code: str = "") -> ApiError:
    """The same refusal, with the parameter that caused it."""
    status, usual_code = _status_of(error)
    return ApiError(status, str(error), param, code or usual_code)


def large_field(headers: Headers) -> str:
    """The field that makes a request large: the recording of a form, the text of JSON."""
    return "file" if headers.get("content-type", "").startswith("multipart/") else "input"


@contextmanager
def errors_blaming(default: str, **names: str) -> Iterator[None]:
    """Blames a field by the name that it has in this request: studio's name = request's name.

    `default` is blamed where an error names no field.
    """
    try:
        yield
    except BadInputError as error:
        about = error.about or default
        raise blame(names.get(about, _PARAMS.get(about, about)), error) from error


def add_error_handlers(app: FastAPI) -> None:
    """Answers every exception of the app's own routes in that shape."""

    @app.exception_handler(ApiError)
    async def refuse(request: Request, error: ApiError) -> JSONResponse:
        return error_response(error.status, error.message, error.param, error.code)

    @app.exception_handler(StudioError)
    async def fail(request: Request, error: StudioError) -> JSONResponse:
        status, code = _status_of(error)
        if status == 503:
            logger.warning("%s: %s", request.url.path, error)
        return error_response(status, str(error), _param(error), code)

    @app.exception_handler(RequestValidationError)
    async def refuse_fields(request: Request, error: RequestValidationError) -> JSONResponse:
        message, param = _first_fault(error.errors())
        return error_response(400, message, param, "invalid_value")

    @app.exception_handler(HTTPException)
    async def refuse_path(request: Request, error: HTTPException) -> JSONResponse:
        cause = error.__cause__
        if isinstance(cause, OSError) and is_refused_write(cause):  # an upload, to a full disk
            return await fail(request, explain_write_error(cause))
        message = str(error.detail)
        if error.status_code == 404:
            message = f"There is no {request.method} {request.url.path}. GET /docs lists what is."
        param = large_field(request.headers) if error.status_code == 413 else None
        response = error_response(error.status_code, message, param)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(JobCancelled)
    async def leave(request: Request, error: JobCancelled) -> JSONResponse:
        return error_response(_CLIENT_LEFT, "The client left.")

    @app.exception_handler(OSError)
    async def fail_to_write(request: Request, error: OSError) -> JSONResponse:
        if not is_refused_write(error):
            return await fail_unexpectedly(request, error)
        logger.warning("%s failed", request.url.path, exc_info=error)
        return await fail(request, explain_write_error(error))

    @app.exception_handler(Exception)
    async def fail_unexpectedly(request: Request, error: Exception) -> JSONResponse:
        logger.error("%s failed", request.url.path, exc_info=error)
        return error_response(500, _UNEXPECTED, None, "server_error")


def _status_of(error: StudioError) -> tuple[int, str]:
    return next((status, code) for kind, status, code in _STATUS if isinstance(error, kind))


def _param(error: StudioError) -> str | None:
    about = error.about if isinstance(error, BadInputError) else ""
    return _PARAMS.get(about, about) or None


def _first_fault(faults: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """The first fault that pydantic found, and its parameter."""
    if not faults:
        return "The request cannot be read.", None
    fault = faults[0]
    if fault["type"] == "json_invalid":
        return "The body is not valid JSON.", None
    if fault["type"] in _NO_OBJECT and fault["loc"] == ("body",):
        return "The body is not a JSON object. Send one, with Content-Type: application/json.", None
    place = [str(part) for part in fault["loc"] if part not in ("body", "query", "path")]
    param = ".".join(place) or None
    return f"{param or 'The body'}: {fault['msg']}", param
