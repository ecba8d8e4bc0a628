"""The model's tokenizer as rules see it: what files tell of it, and questions that only the parent can answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tpllint.job import RESPONSE, TOKENS, Vocabulary

MAX_QUESTIONS = 100
"""Of one rule about one target."""
MAX_TEXT = 100_000


class Tokenizer:
    """Answers what is known. What is not is noted as a question and answered with None: undecided.

    When all rules have spoken, the parent looks for the answers and has the rules that asked run again.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | None = None,
        token_ids: Mapping[str, tuple[int, ...]] | None = None,
        token_spans: Mapping[str, tuple[tuple[int, int], ...]] | None = None,
        responses: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._vocabulary = vocabulary or Vocabulary()
        self._token_ids = token_ids or {}
        self._token_spans = token_spans or {}
        self._responses = responses or {}
        self._asked: dict[tuple[str, str], None] | None = None

    @property
    def added(self) -> Mapping[str, int] | None:
        """The ids of all added tokens; None where no file lists them."""
        if not self._vocabulary.told:
            self._ask()
            return None
        return self._vocabulary.ids

    @property
    def known(self) -> frozenset[str]:
        """The tokens that the files read so far name; a model may have others."""
        return frozenset((*self._vocabulary.ids, *self._vocabulary.named))

    @property
    def stops(self) -> tuple[int, ...] | None:
        """The ids at which the model stops, as generation_config.json or config.json has them; None where neither tells."""
        return self._vocabulary.stops

    @property
    def stops_in(self) -> str | None:
        """The file that tells where the model stops."""
        return self._vocabulary.stops_in

    def id_of(self, token: str) -> int | None:
        """The id of an added token; None for one that is no such token, or where nothing tells."""
        if token not in self._vocabulary.ids and not self._vocabulary.told:
            self._ask()
        return self._vocabulary.ids.get(token)

    def name_of(self, number: int) -> str | None:
        """The added token that has this id."""
        return next((token for token, held in self._vocabulary.ids.items() if held == number), None)

    @property
    def adds_bos(self) -> bool | None:
        """Whether `tokenizer(text)` puts the beginning of sequence before the text."""
        if self._vocabulary.adds_bos is None:
            self._ask()
        return self._vocabulary.adds_bos

    def encoded(self, text: str) -> tuple[int, ...] | None:
        """The token ids of a text, with no token added to it."""
        if text not in self._token_ids:
            self._ask(text, of_a_library=True)
        return self._token_ids.get(text)

    def spans(self, text: str) -> tuple[tuple[int, int], ...] | None:
        """The span of the text that each of its tokens stands for, in characters."""
        if text not in self._token_spans:
            self._ask(text, of_a_library=True)
        return self._token_spans.get(text)

    @property
    def parses_answers(self) -> bool:
        """Whether the model says how its answers are parsed (`response_template`)."""
        return self._vocabulary.response_template is not None

    def parsed(self, prompt: str, answer: str, tools: Sequence[Any] | None = None) -> Mapping[str, Any] | None:
        """What transformers' `parse_response` makes of an answer: a `message`, or the `error` that it raises."""
        asked = json.dumps([prompt, answer, tools])
        if asked not in self._responses and self.parses_answers:
            self._note(RESPONSE, asked)
        return self._responses.get(asked)

    def questions(self) -> list[tuple[str, str]] | None:
        """What was asked since the last call, with its kind; empty where only a file is missing, None where nothing was."""
        asked, self._asked = self._asked, None
        return None if asked is None else list(asked)

    def _ask(self, text: str | None = None, *, of_a_library: bool = False) -> None:
        """Note a question; none where every file that could tell was read."""
        if not (self._vocabulary.unread or of_a_library):
            return
        self._note(TOKENS, text)

    def _note(self, kind: str, text: str | None) -> None:
        self._asked = self._asked or {}
        if text is not None and len(text) <= MAX_TEXT and len(self._asked) < MAX_QUESTIONS:
            self._asked[kind, text] = None
