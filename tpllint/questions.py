"""Questions of rules that only a model's tokenizer.json answers: the parent looks for the answers, and the rules run again.

On the Hub the file is megabytes, so it is fetched only when a rule has asked. To encode a text takes the library `tokenizers`,
in a process of its own. A rule that gets no answer has no verdict, and the report says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tpllint.errors import RepairableError
from tpllint.pool import Answers, Order, Pool
from tpllint.sources import with_more
from tpllint.sources.files import TOKENIZER, ModelFiles
from tpllint.storage.neighbours import vocabulary_of
from tpllint.tokenizing import encode
from tpllint.tokens import SpecialTokens

ROUNDS = 2
"""How often rules may ask: what they learn from the first answers may raise a second question."""
NO_TOKENIZER = f"there is no {TOKENIZER} that tells the token ids"
NO_LIBRARY = "the package tokenizers is not installed (pip install 'tpllint[tokenizer]')"
ASKED_TOO_OFTEN = "it asked for more token ids than are looked up"


class Asking:
    """A pool whose rules get answers. `offline` and `token` are for files that are on the Hub."""

    def __init__(self, pool: Pool, *, offline: bool = False, token: str | None = None) -> None:
        self._pool = pool
        self._offline, self._token = offline, token

    def run(self, orders: Sequence[Order], on_done: Callable[[int], None] = lambda _: None) -> list[Answers]:
        """As `Pool.run`, with the last word of each rule."""
        answers = self._pool.run(orders, on_done)
        latest = list(orders)
        for _ in range(ROUNDS):
            again = [index for index, answer in enumerate(answers) if answer.questions]
            asked = {index: order for index in again if (order := self._follow_up(latest[index], answers[index]))}
            for index, more in zip(asked, self._pool.run(list(asked.values())) if asked else (), strict=True):
                latest[index] = asked[index]
                _bring_in(answers[index], asked[index].job.rules, more)
        for answer in answers:
            _give_up(answer, ASKED_TOO_OFTEN)
        return answers

    def _follow_up(self, order: Order, answers: Answers) -> Order | None:
        """The order to the rules that asked, with what could be found out; None where that is nothing."""
        job = order.job
        texts = dict.fromkeys(text for asked in answers.questions.values() for text in asked if text not in job.token_ids)
        special = SpecialTokens(job.tokens, job.tokens_known, frozenset(job.absent_tokens))
        try:
            model = self._with_tokenizer(order.model)
            ids = _encoded(model, tuple(texts), special)
        except RepairableError as error:
            _give_up(answers, NO_LIBRARY if error.kind == "no-library" else error.message)
            return None
        vocabulary = job.vocabulary if model is None else vocabulary_of(model, special)
        if not ids and vocabulary == job.vocabulary:
            _give_up(answers, NO_TOKENIZER)
            return None
        rules = tuple(name for name in job.rules if name in answers.questions)
        known = {**job.token_ids, **ids}
        return replace(order, job=replace(job, rules=rules, vocabulary=vocabulary, token_ids=known))

    def _with_tokenizer(self, model: ModelFiles | None) -> ModelFiles | None:
        return None if model is None else with_more(model, (TOKENIZER,), offline=self._offline, token=self._token)


def _encoded(model: ModelFiles | None, texts: Sequence[str], special: SpecialTokens) -> dict[str, tuple[int, ...]]:
    """The ids of each text; none where there is no tokenizer."""
    if model is None or TOKENIZER not in model.files or not texts:
        return {}
    encoded = encode(model.files[TOKENIZER], texts, tuple(special.values.values()) if special.known else ())
    return {text: tuple(token.id for token in tokens) for text, tokens in zip(texts, encoded, strict=True)}


def _give_up(answers: Answers, reason: str) -> None:
    """Note why rules have no verdict; one that has spoken without an answer has one."""
    spoken = {message.get("rule") for message in answers.messages}
    answers.unanswered |= {rule: reason for rule in answers.questions if rule not in spoken}
    answers.questions = {}


def _bring_in(answers: Answers, rules: Iterable[str], more: Answers) -> None:
    """Put what rules say that know more in the place of what they said before."""
    heard = set(rules)
    kept = [message for message in answers.messages if message.get("rule") not in heard]
    answers.messages = kept + [message for message in more.messages if message.get("rule") in heard]
    answers.exhausted |= more.exhausted
    answers.ended = answers.ended or more.ended
    answers.questions = more.questions
