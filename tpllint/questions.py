"""Questions of rules that only a model's tokenizer answers: the parent looks for the answers, and the rules run again.

On the Hub tokenizer.json is megabytes, so it is fetched only when a rule has asked. To encode a text takes the library
`tokenizers`, to parse an answer `transformers`, each in a process of its own. A rule that gets no answer has no verdict, and
the report says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from tpllint.errors import RepairableError
from tpllint.job import RESPONSE, Job
from tpllint.pool import Answers, Order, Pool
from tpllint.responses import parse
from tpllint.sources import with_more
from tpllint.sources.files import TOKENIZER, ModelFiles
from tpllint.storage.neighbours import vocabulary_of
from tpllint.tokenizing import Token, encode
from tpllint.tokens import SpecialTokens

NOT_ASKED_FOR = "it starts transformers, which takes seconds: name it with --select, or check with --profile training"
ROUNDS = 2
"""How often rules may ask: what they learn from the first answers may raise a second question."""
NO_TOKENIZER = f"there is no {TOKENIZER} that tells the token ids"
NO_LIBRARY = "the package tokenizers is not installed (pip install 'tpllint[tokenizer]')"
ASKED_TOO_OFTEN = "it asked for more token ids than are looked up"


class Asking:
    """A pool whose rules get answers. `offline` and `token` are for files that are on the Hub.

    `unasked` are slow rules that nobody has asked for: they get none.
    """

    def __init__(self, pool: Pool, *, offline: bool = False, token: str | None = None, unasked: Set[str] = frozenset()) -> None:
        self._pool = pool
        self._unasked = unasked
        self._offline, self._token = offline, token

    def run(self, orders: Sequence[Order], on_done: Callable[[int], None] = lambda _: None) -> list[Answers]:
        """As `Pool.run`, with the last word of each rule."""
        answers = self._pool.run(orders, on_done)
        latest = list(orders)
        for answer in answers:
            _give_up(answer, NOT_ASKED_FOR, [rule for rule in answer.questions if rule in self._unasked])
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
        job = self._with_responses(self._with_tokens(order.job, order.model, answers), answers)
        rules = tuple(name for name in job.rules if name in answers.questions)
        return order._replace(job=job._replace(rules=rules, want="findings")) if rules else None

    def _with_tokens(self, job: Job, model: ModelFiles | None, answers: Answers) -> Job:
        """The job with what the tokenizer tells; the rules that asked it in vain have no verdict."""
        asking = [rule for rule, asked in answers.questions.items() if not any(kind == RESPONSE for kind, _ in asked)]
        if not asking:
            return job
        texts = dict.fromkeys(text for rule in asking for _, text in answers.questions[rule] if text not in job.token_ids)
        special = SpecialTokens(job.tokens, job.tokens_known, frozenset(job.absent_tokens))
        try:
            model = self._with_tokenizer(model)
            encoded = _encoded(model, tuple(texts), special)
        except RepairableError as error:
            _give_up(answers, NO_LIBRARY if error.kind == "no-library" else error.message, asking)
            return job
        vocabulary = job.vocabulary if model is None else vocabulary_of(model, special)
        if not encoded and vocabulary == job.vocabulary:
            _give_up(answers, NO_TOKENIZER, asking)
        ids = {text: tuple(token.id for token in tokens) for text, tokens in encoded.items()}
        spans = {text: tuple((token.start, token.end) for token in tokens) for text, tokens in encoded.items()}
        known = {**job.token_ids, **ids}, {**job.token_spans, **spans}
        return job._replace(vocabulary=vocabulary, token_ids=known[0], token_spans=known[1])

    def _with_responses(self, job: Job, answers: Answers) -> Job:
        """The job with what answers are parsed into; the rules that asked for it in vain have no verdict."""
        asked = {rule: [text for kind, text in held if kind == RESPONSE] for rule, held in answers.questions.items()}
        asking = [rule for rule, texts in asked.items() if texts]
        texts = tuple(dict.fromkeys(text for rule in asking for text in asked[rule]))
        if not texts or job.vocabulary.response_template is None:
            return job
        try:
            parsed = parse(job.vocabulary.response_template, texts)
        except RepairableError as error:
            _give_up(answers, error.message, asking)
            return job
        return job._replace(responses={**job.responses, **parsed})

    def _with_tokenizer(self, model: ModelFiles | None) -> ModelFiles | None:
        return None if model is None else with_more(model, (TOKENIZER,), offline=self._offline, token=self._token)


def _encoded(model: ModelFiles | None, texts: Sequence[str], special: SpecialTokens) -> dict[str, tuple[Token, ...]]:
    """The tokens of each text; none where there is no tokenizer."""
    if model is None or TOKENIZER not in model.files or not texts:
        return {}
    encoded = encode(model.files[TOKENIZER], texts, tuple(special.values.values()) if special.known else ())
    return dict(zip(texts, encoded, strict=True))


def _give_up(answers: Answers, reason: str, rules: Sequence[str] | None = None) -> None:
    """Note why rules, or all that asked, have no verdict; one that has spoken without an answer has one."""
    spoken = {message.get("rule") for message in answers.messages}
    waiting = tuple(answers.questions) if rules is None else rules
    answers.unanswered |= {rule: reason for rule in waiting if rule not in spoken}
    answers.questions = {rule: asked for rule, asked in answers.questions.items() if rule not in waiting}


def _bring_in(answers: Answers, rules: Iterable[str], more: Answers) -> None:
    """Put what rules say that know more in the place of what they said before."""
    heard = set(rules)
    kept = [message for message in answers.messages if message.get("rule") not in heard]
    answers.messages = kept + [message for message in more.messages if message.get("rule") in heard]
    answers.exhausted |= more.exhausted
    answers.ended = answers.ended or more.ended
    answers.questions = more.questions
