"""Gets files of one commit of a model from the Hub into the ordinary cache of huggingface_hub."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from tpllint.generation.model_refusal import RefusedError, said_by

if TYPE_CHECKING:
    from tpllint.generation.model_process import Line

LEAST_STEP = 0.002


def download(request: dict[str, Any], files: dict[str, int | None], line: Line) -> str:
    """The folder in which the files lie; what is in the cache is not asked for. Raises RefusedError."""
    hub: Any = importlib.import_module("huggingface_hub")
    meter: Any = type("_Meter", (_Bar,), {"arrival": Arrival(files, line)})
    place = ""
    for name in files:
        try:
            place = hub.hf_hub_download(
                request["repository"],
                name,
                revision=request["revision"],
                token=request["token"],
                local_files_only=request["offline"],
                tqdm_class=meter,
                library_name="tpllint",
            )
        except Exception as error:
            raise RefusedError("download-failed", said_by(error)) from error
    return os.path.dirname(place)


class Arrival:
    """Counts the bytes that arrive."""

    def __init__(self, files: dict[str, int | None], line: Line) -> None:
        self._line = line
        self._all = sum(size or 0 for size in files.values())
        self._received = 0.0
        self._told = 0.0

    def count(self, received: float) -> None:
        """So many more bytes are there."""
        self._received += received
        part = min(self._received / self._all, 1.0) if self._all else 0.0
        if part >= self._told + LEAST_STEP:
            self._told = part
            self._line.progress("downloading", part)


class _Bar:
    """Stands where huggingface_hub shows its progress bar."""

    arrival: Arrival

    def __init__(self, *, initial: float = 0, **_: object) -> None:
        self.arrival.count(initial)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, received: float | None = 1) -> None:
        self.arrival.count(received or 0)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None
