"""The HTTP of the server: WebhooksServer of huggingface_hub, on gradio, which is held to listening and nothing else."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import logging
import os
import socket
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from tpllint.errors import RepairableError
from tpllint.serving.answers import Answer

PATH = "/webhooks/review"
HEADER = "x-webhook-secret"

_CHECKED = "127.0.0.1"
"""Where gradio wants the port to be free, wherever it is to listen."""
_HOST_IS_WRONG = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

Receive = Callable[[str | None, AsyncIterable[bytes]], Awaitable[Answer]]
"""Answers the secret and the body of a request; reading a body whose sender is gone raises ConnectionError."""


@contextlib.contextmanager
def listening(host: str, port: int, receive: Receive) -> Iterator[str]:
    """Answer requests until the block ends, which is given their URL. Raises RepairableError."""
    bare = host.removeprefix("[").removesuffix("]")
    _require_known(bare, port)
    named = f"[{bare}]" if ":" in bare else bare  # as gradio wants an address of IPv6, and as it stands in a URL
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    with _quiet(), _without_proxies():
        gradio = _library("gradio")
        with gradio.Blocks(analytics_enabled=False, title="tpllint") as ui:
            pass
        server = _library("huggingface_hub").WebhooksServer(ui=ui)
        server.webhook_secret = None  # it compares in a time that tells how much is right; `receive` checks instead
        server.add_webhook(PATH.removeprefix("/webhooks"))(_route(receive))
        try:
            _launch(server, named, port)
        except OSError as error:
            raise _unusable(bare, port) from error
    try:
        yield f"http://{named}:{port}{PATH}"
    finally:
        ui.close(verbose=False)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = "a server for webhooks needs gradio, which is not installed"
        raise RepairableError("missing-package", message, "pip install 'tpllint[webhook]'") from error


def _route(receive: Receive) -> Callable[[Any], Awaitable[Any]]:
    requests, responses = _library("starlette.requests"), _library("starlette.responses")

    async def body(request: Any) -> AsyncIterator[bytes]:
        try:
            async for part in request.stream():
                yield part
        except requests.ClientDisconnect as error:
            raise ConnectionAbortedError from error

    async def route(request: Any) -> Any:
        told = await receive(request.headers.get(HEADER), body(request))
        return responses.JSONResponse({"said": told.said}, status_code=told.status)

    route.__annotations__ = {"request": requests.Request}
    return route


def _launch(server: Any, host: str, port: int) -> None:
    """Listen. Nobody can log in to what gradio itself offers, such as uploads. Raises OSError that does not say why."""
    server.launch(
        prevent_thread_lock=True,
        share=False,
        quiet=True,
        ssr_mode=False,
        auth=_nobody,
        max_file_size=1,
        server_name=host,
        server_port=port,
    )


def _nobody(user: str, password: str) -> bool:
    return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what the libraries say when they start, and that WebhooksServer is an experiment."""
    log = logging.getLogger("uvicorn.error")
    log.addFilter(_nothing)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


@contextlib.contextmanager
def _without_proxies() -> Iterator[None]:
    """When gradio starts, it sends itself requests, which no proxy can deliver. Reviews need theirs."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "*"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _require_known(host: str, port: int) -> None:
    try:
        if not host or "%" in host:
            raise ValueError("it is empty" if not host else "an address with a zone is not supported")
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError) as error:  # a name that cannot be one is a UnicodeError, and that a ValueError
        raise _wrong_host(host, error) from error


def _unusable(host: str, port: int) -> RepairableError:
    """Why nobody can listen there, found by trying: gradio does not tell."""
    for name in (host, _CHECKED):
        for family, kind, protocol, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
            try:
                _try(family, kind, protocol, address)
            except OSError as error:
                return _wrong_host(name, error) if error.errno in _HOST_IS_WRONG else _wrong_port(name, port, error)
    return _wrong_port(host, port, OSError())


def _try(family: int, kind: int, protocol: int, address: Any) -> None:
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)


def _wrong_host(host: str, error: Exception) -> RepairableError:
    message = f"host {host or repr(host)} cannot be listened on{_reason(error)}"
    return RepairableError("unusable-host", message, "choose as --host an address of this machine, such as 127.0.0.1 or ::1")


def _wrong_port(host: str, port: int, error: OSError) -> RepairableError:
    message = f"port {port} of {host} cannot be listened on{_reason(error)}"
    return RepairableError("unusable-port", message, "choose another --port")


def _reason(error: Exception) -> str:
    told = (getattr(error, "strerror", None) or str(error)).lower()
    return told and f": {told}"
