"""Takes the requests of the parent one after the other: one model is loaded, then asked."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
from typing import TYPE_CHECKING, Any

from tpllint.generation import model_loading
from tpllint.generation.model_answering import Answering
from tpllint.generation.model_scoring import Scoring

if TYPE_CHECKING:
    from tpllint.generation.model_process import Line

torch: Any = importlib.import_module("torch")


class Desk:
    """One model, and who asks it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._model: Any = None
        self._tokenizer: Any = None
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

    def machine(self) -> dict[str, Any]:
        """Which devices there are, and how many bytes are free on the one that has a memory of its own."""
        cuda = bool(torch.cuda.is_available())
        free = sum(torch.cuda.mem_get_info(index)[0] for index in range(torch.cuda.device_count())) if cuda else 0
        return {"cuda": cuda, "mps": bool(torch.backends.mps.is_available()), "free": free}

    def serve(self, request: dict[str, Any]) -> None:
        """Do what is asked, and say so. Raises RefusedError."""
        match request["kind"]:
            case "load":
                self._load(request)
            case "answer":
                answering = Answering(self._model, self._tokenizer, self._line, request)
                for told in answering.answers():
                    self._line.send(kind="answered", **told)
            case "score":
                for told in Scoring(self._model, self._tokenizer, self._line).scores(request["items"]):
                    self._line.send(kind="scored", **told)

    def _load(self, request: dict[str, Any]) -> None:
        """Load a model in the place of the one before, which is let go of first: there may be no room for both."""
        self._model = self._tokenizer = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._model, self._tokenizer, told = model_loading.load(request, self._line)
        self._line.send(kind="loaded", **told)
