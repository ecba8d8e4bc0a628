"""Tells how likely a model finds answers that others have written.

Prompt and answer are encoded as one text, as they would be in training, and the tokens of the answer are those that begin where
it begins or after: a token that reaches from the prompt into the answer is the prompt's. A tokenizer that does not tell where
its tokens begin encodes the two apart.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tpllint.generation.model_batches import in_batches

if TYPE_CHECKING:
    from tpllint.generation.model_process import Line

torch: Any = importlib.import_module("torch")


class _Encoded(NamedTuple):
    """Tokens, and where those of the answer begin among them."""

    ids: list[int]
    begin: int


class Scoring:
    """Scores with one model."""

    def __init__(self, model: Any, tokenizer: Any, line: Line) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._line = line
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    def scores(self, items: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """What the parent is told of each item, in order. Raises RefusedError."""
        encoded = [self._encoded(item["prompt"], item["answer"]) for item in items]
        for number, told in enumerate(in_batches(encoded, self._batch), 1):
            self._line.progress("scoring", number / len(items))
            yield told

    def _encoded(self, prompt: str, answer: str) -> _Encoded:
        if not self._tokenizer.is_fast:
            before, after = (self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, answer))
            return _Encoded(before + after, len(before))
        told = self._tokenizer(prompt + answer, add_special_tokens=False, return_offsets_mapping=True)
        starts = [start for start, _ in told["offset_mapping"]]
        begin = next((index for index, start in enumerate(starts) if start >= len(prompt)), len(starts))
        return _Encoded(told["input_ids"], begin)

    def _batch(self, items: Sequence[_Encoded]) -> list[dict[str, Any]]:
        """Rows are filled up at their end, where a causal model does not look back from what is scored."""
        width = max(len(item.ids) for item in items)
        if width < 2:
            return [{"nats": 0.0, "tokens": 0} for _ in items]
        rows = torch.tensor([item.ids + [0] * (width - len(item.ids)) for item in items], device=self._model.device)
        mask = torch.tensor([[1] * len(item.ids) + [0] * (width - len(item.ids)) for item in items], device=self._model.device)
        first = min(max(item.begin, 1) for item in items)
        kept = {"logits_to_keep": width - first + 1} if self._keeps else {}
        with torch.inference_mode():
            logits = self._model(input_ids=rows, attention_mask=mask, use_cache=False, **kept).logits
            logits = logits[:, -(width - first + 1) : -1].float()
            nats = torch.nn.functional.cross_entropy(logits.transpose(1, 2), rows[:, first:], reduction="none").tolist()
        return [_told(item, losses, first) for item, losses in zip(items, nats, strict=True)]


def _told(item: _Encoded, losses: list[float], first: int) -> dict[str, Any]:
    """Nothing comes before the first token of all, so nothing tells how likely it is."""
    own = losses[max(item.begin, 1) - first : len(item.ids) - first]
    return {"nats": float(sum(own)), "tokens": len(own)}
