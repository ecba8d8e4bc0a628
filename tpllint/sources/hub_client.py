"""The HTTP client of huggingface_hub as the doors to the Hub use it: quiet, watched, and with the user's token.

huggingface_hub is imported inside functions: it is heavy, and most runs never leave the disk.
"""

from __future__ import annotations

import importlib
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tpllint.sources.hub_failures import failure
from tpllint.sources.hub_target import HubTarget

if TYPE_CHECKING:
    from httpx2 import Client, Request

_HOSTS = ("huggingface.co", "hf.co")
"""The Hub's own, and those below them, from which it sends large files."""
_AUTHORIZATION = re.compile(r"Bearer [!-~]+")


def session(target: HubTarget) -> Client:
    """The client that everybody in this process shares, whose requests are watched where `side_by_side` makes them."""
    from tpllint.sources.hub_watch import watched

    try:
        client = load_client(target)()
    except (ValueError, ImportError) as error:  # a proxy of an unknown scheme; a SOCKS proxy without its package
        raise failure("unusable-proxy", target) from error
    return watched(client, _leads_to_the_hub)


def _leads_to_the_hub(request: Request) -> None:
    """Before a request is sent. Raises what `require_host` does."""
    from tpllint.sources.hub_watch import watched_target

    target = watched_target()
    if target is not None:
        require_host(target, str(request.url))


def headers(target: HubTarget, token: str | None) -> dict[str, str]:
    """What tells the Hub who asks: this token, else the one that the environment or `hf auth login` gives."""
    told: dict[str, str] = library_utils().build_hf_headers(token=token, **identity())
    if "authorization" in told and not _AUTHORIZATION.fullmatch(told["authorization"]):
        raise failure("rejected-token", target)
    return told


def identity() -> dict[str, Any]:
    """Who asks, as huggingface_hub takes it."""
    from tpllint import __version__

    return {"library_name": "tpllint", "library_version": __version__}


def check_name(target: HubTarget) -> None:
    """Raise RepairableError where no model can have this name."""
    from huggingface_hub.errors import HFValidationError

    try:
        library_utils().validate_repo_id(target.repository)
    except HFValidationError as error:
        raise failure("invalid-repository-name", target) from error


def library_utils() -> Any:
    """huggingface_hub.utils, whose functions are public though its type hints do not export them."""
    return importlib.import_module("huggingface_hub.utils")


def endpoint(target: HubTarget) -> str:
    """The URL of the Hub in use, without a slash at its end."""
    found: str = settings(target).ENDPOINT
    return found


def require_host(target: HubTarget, url: str) -> None:
    """Raise RepairableError for a request that a redirect leads where the Hub keeps nothing, or into the clear.

    Where the user has named another endpoint, its files may lie on any host.
    """
    there, home = urlsplit(url), urlsplit(endpoint(target))
    if home.hostname is None:
        raise failure("invalid-hub-settings", target)
    is_known = not _is_public(home.hostname) or _is_public(there.hostname)
    if not is_known or there.scheme not in ("https", home.scheme):
        raise failure("malformed-hub-answer", target)


def _is_public(host: str | None) -> bool:
    return any(host == known or (host or "").endswith(f".{known}") for known in _HOSTS)


def settings(target: HubTarget) -> Any:
    """huggingface_hub.constants: what the environment says about the Hub and its cache. It is light."""
    with _settings_told(target):
        return importlib.import_module("huggingface_hub.constants")


def load_client(target: HubTarget) -> Callable[[], Client]:
    """`huggingface_hub.get_session`, whose module reads more of the settings when it is imported."""
    with _settings_told(target):
        found: Callable[[], Client] = importlib.import_module("huggingface_hub").get_session
        return found


def load_download(target: HubTarget) -> Callable[..., str]:
    """`huggingface_hub.hf_hub_download`, which is heavier."""
    with _settings_told(target):
        found: Callable[..., str] = importlib.import_module("huggingface_hub").hf_hub_download
        return found


@contextmanager
def _settings_told(target: HubTarget) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "huggingface_hub":
            raise
        raise failure("no-hub-support", target) from error
    except ValueError as error:
        raise failure("invalid-hub-settings", target) from error


class _Quiet:
    """Counts who is inside: the first to come makes huggingface_hub quiet, the last to go makes it as it was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._undo = ExitStack()

    @contextmanager
    def entered(self, target: HubTarget) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._undo.enter_context(_made_quiet(target))
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._undo.close()


_QUIET = _Quiet()


@contextmanager
def quiet_library(target: HubTarget) -> Iterator[Any]:
    """While this lasts, huggingface_hub writes nothing to the terminal, sends no telemetry and speaks plain HTTP."""
    with _QUIET.entered(target):
        yield settings(target)


@contextmanager
def _made_quiet(target: HubTarget) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some settings are warned of when they are read
        constants = settings(target)
        importlib.import_module("huggingface_hub.utils.logging")  # it sets the level when it is first imported
        logger = logging.getLogger("huggingface_hub")
        before = logger.level, constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET
        logger.setLevel(logging.CRITICAL + 1)
        # Telemetry would be a request of its own; the Xet protocol is for weights, and no meter sees its bytes in time.
        constants.HF_HUB_DISABLE_TELEMETRY = constants.HF_HUB_DISABLE_XET = True
        try:
            yield
        finally:
            logger.setLevel(before[0])
            constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET = before[1:]
