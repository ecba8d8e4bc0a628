"""How a user wants a model to be run, and where it is."""

from __future__ import annotations

from typing import NamedTuple

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZATIONS = ("4bit", "8bit")
AUTO = "auto"


class Settings(NamedTuple):
    """How to run a model; the words are those of transformers. `token` is the access token for the Hub."""

    device: str = AUTO
    dtype: str = AUTO
    quantize: str | None = None
    trust_remote_code: bool = False
    offline: bool = False
    token: str | None = None


class Weights(NamedTuple):
    """Where a model is: a folder on this machine, or a model on the Hub, at a revision or on its main branch."""

    folder: str | None
    repository: str | None
    revision: str | None

    @property
    def shown(self) -> str:
        """The model's name in messages."""
        return self.repository or self.folder or ""
