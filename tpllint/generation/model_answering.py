"""Lets a model continue prompts: greedy, all of them at once, until it stops by itself or has written enough."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import itertools
import signal
import time
import types
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tpllint.generation.model_batches import in_batches
from tpllint.generation.model_refusal import RefusedError

if TYPE_CHECKING:
    from tpllint.generation.model_process import Line

torch: Any = importlib.import_module("torch")
chat_templates: Any = importlib.import_module("transformers.utils.chat_template_utils")

SEED = 0
MOST_SECONDS = 10
"""That transformers may take to render a conversation."""


class Answering:
    """One request: its prompts and what is made of them."""

    def __init__(self, model: Any, tokenizer: Any, line: Line, request: dict[str, Any]) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._line = line
        self._request = request
        self._stops = set(model.generation_config.eos_token_id or ())
        self._pad = model.generation_config.pad_token_id
        self._special = _special(tokenizer)
        self._done = 0

    def answers(self) -> Iterator[dict[str, Any]]:
        """What the parent is told of each prompt, in order. Raises RefusedError."""
        torch.manual_seed(SEED)
        yield from in_batches(self._request["prompts"], self._batch)

    def _batch(self, prompts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        begin = time.monotonic()
        encoded = [self._encoded(prompt["text"]) for prompt in prompts]
        rooms = [self._room(prompt["name"], len(ids)) for prompt, ids in zip(prompts, encoded, strict=True)]
        written: dict[int, list[int]] = {}
        for room in sorted(set(rooms)):  # an answer does not depend on how much room others have
            those = [index for index, own in enumerate(rooms) if own == room]
            made = self._written([prompts[index] for index in those], [encoded[index] for index in those], room)
            written |= dict(zip(those, made, strict=True))
            self._done += len(those)
        seconds = (time.monotonic() - begin) / len(prompts)
        return [
            {**self._told(written[index]), **self._compared(prompt, encoded[index]), "limit": rooms[index], "seconds": seconds}
            for index, prompt in enumerate(prompts)
        ]

    def _encoded(self, text: str) -> list[int]:
        """As transformers encodes what a chat template has made: it adds no special token."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _written(self, prompts: Sequence[dict[str, Any]], encoded: list[list[int]], most: int) -> list[list[int]]:
        width = max(map(len, encoded))
        rows = [[self._pad] * (width - len(ids)) + ids for ids in encoded]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded]
        watcher = _Watcher(self, [prompt["name"] for prompt in prompts], most)
        with torch.inference_mode():
            made = self._model.generate(
                input_ids=torch.tensor(rows, device=self._model.device),
                attention_mask=torch.tensor(mask, device=self._model.device),
                max_new_tokens=most,
                streamer=watcher,
            )
        return [self.until_stop(row) for row in made[:, width:].tolist()]

    def _room(self, name: str, width: int) -> int:
        """How many tokens may be written: those asked for, or fewer where the model's context ends before."""
        if not width:
            raise RefusedError("unusable-prompt", f"{name} is empty, and has no first token")
        context: int | None = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        most: int = self._request["max_new_tokens"]
        if not context:
            return most
        if width >= context:
            raise RefusedError("prompt-too-long", f"{name} has {width} tokens, of {context}")
        return min(most, context - width)

    def until_stop(self, ids: list[int]) -> list[int]:
        """Tokens up to the first one that ends the answer, that one included."""
        end = next((index for index, token in enumerate(ids) if token in self._stops), len(ids))
        return ids[: end + 1]

    def text_of(self, ids: list[int]) -> list[int]:
        """The same without the token that ends the answer."""
        return ids[:-1] if ids and ids[-1] in self._stops else ids

    def _told(self, ids: list[int]) -> dict[str, Any]:
        text = self.text_of(ids)
        stop = ids[-1] if len(text) < len(ids) else None
        return {
            "text": self.decoded(text),
            "stop": None if stop is None else self.decoded([stop]),
            "tokens": len(ids),
            "control": [self.decoded([token]) for token in text if token in self._special],
        }

    def decoded(self, ids: list[int]) -> str:
        """The text of tokens, exactly."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def _compared(self, prompt: dict[str, Any], own: list[int]) -> dict[str, Any]:
        """What transformers itself makes of the conversation; where it refuses that, nothing is known of its tokens."""
        conversation = prompt["conversation"]
        theirs: list[int] | None = None
        with contextlib.suppress(Exception), _in_time(), _clock_at(conversation.get("clock")):
            theirs = self._tokenizer.apply_chat_template(
                conversation["messages"],
                tools=conversation.get("tools"),
                documents=conversation.get("documents"),
                chat_template=self._request["template"],
                add_generation_prompt=prompt["add_generation_prompt"],
                continue_final_message=prompt["continue_final_message"],
                tokenize=True,
                return_dict=False,
                **(conversation.get("variables") or {}),
            )
        begins = itertools.takewhile(lambda token: token == self._tokenizer.bos_token_id, own if theirs is None else theirs)
        return {"bos": len(list(begins)), "encoded_otherwise": theirs is not None and theirs != own}

    def hear(self, name: str, piece: str) -> None:
        """Pass on a piece of an answer as it comes, where somebody listens."""
        if self._request["streams"]:
            self._line.send(kind="heard", name=name, piece=piece)

    def progress(self, step: int, most: int, rows: int) -> None:
        """Tell how far this batch is at most; it may stop at any token."""
        total = len(self._request["prompts"])
        self._line.progress("generating", (self._done + rows * step / most) / total)


class _Watcher:
    """Sees the tokens of a batch as they come; the first it is handed are the prompts."""

    def __init__(self, answering: Answering, names: list[str], most: int) -> None:
        self._answering = answering
        self._names = names
        self._most = most
        self._written: list[list[int]] = [[] for _ in names]
        self._said = [""] * len(names)
        self._step = -1

    def put(self, values: Any) -> None:
        """One more token of every row."""
        self._step += 1
        if self._step == 0:
            return
        for row, token in enumerate(values.tolist()):
            self._written[row].append(token)
        self._answering.progress(self._step, self._most, len(self._names))
        if len(self._names) == 1:
            self._say(0, is_end=False)

    def end(self) -> None:
        """No more tokens come."""
        if len(self._names) == 1:
            self._say(0, is_end=True)

    def _say(self, row: int, is_end: bool) -> None:
        """What has become text; a character may take several tokens, and what they are shows with the last."""
        text = self._answering.decoded(self._answering.text_of(self._written[row]))
        whole = text if is_end else text.rstrip("\ufffd")
        piece = whole.removeprefix(self._said[row])
        if piece and whole.startswith(self._said[row]):
            self._said[row] = whole
            self._answering.hear(self._names[row], piece)


def _special(tokenizer: Any) -> set[int]:
    """The tokens that are none of a text: those with a part to play, and those that the tokenizer calls special."""
    added = {token for token, entry in tokenizer.added_tokens_decoder.items() if entry.special}
    return {*tokenizer.all_special_ids, *added}


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """Raise TimeoutError where a template takes long, which it did not when a worker rendered it: it may do so at random."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _clock_at(told: str | None) -> Iterator[None]:
    """The time that templates are told, where a prompt was rendered as of another one.

    transformers takes no function as a variable, so it is its clock that is set.
    """
    before = chat_templates.datetime
    if told is not None:
        moment = datetime.datetime.fromisoformat(told)
        chat_templates.datetime = types.SimpleNamespace(now=lambda: moment)
    try:
        yield
    finally:
        chat_templates.datetime = before
