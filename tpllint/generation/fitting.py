"""How well a model knows a template: what reference answers cost it after the template's prompts, and after others.

Of an answer counts what the template does not write: what ends a turn is another number of tokens in each format. What it costs
after any prompt is divided by the number of tokens that it has after its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from tpllint.generation.exchange import Score, ToScore
from tpllint.generation.mutants import Parts, mutants
from tpllint.generation.talker import Talker
from tpllint.replies import Fit

BLANKS = ("", " ")
"""What may stand before an answer: tokenizers make other tokens of it, and models learned one or the other. The cheaper one
counts.
"""


class Reference(NamedTuple):
    """A prompt, the messages that it is made of, and the answer that is expected."""

    name: str
    prompt: str
    messages: Sequence[Mapping[str, Any]]
    answer: str


def fit(references: Sequence[Reference], found: Parts, talker: Talker) -> Fit | None:
    """What the answers cost after their prompts and after those of other templates; None where they cost nothing.

    Where another template makes nothing else of a prompt, it costs what the own one does.
    """
    own = _costs(references, talker)
    if not own:
        return None
    others: dict[str, list[Reference]] = defaultdict(list)
    for one in references:
        for words, prompt in mutants(one.prompt, one.messages, found):
            others[words].append(one._replace(prompt=prompt))
    means = {}
    for words, those in others.items():
        told = _costs(those, talker)
        means[words] = fmean(told.get(name, score).nats / score.tokens for name, score in own.items())
    return Fit(len(own), _mean(own), means)


def mean_cost(references: Sequence[Reference], talker: Talker) -> float | None:
    """What a token of the answers costs after their prompts, in nats; None where they cost nothing."""
    own = _costs(references, talker)
    return _mean(own) if own else None


def _mean(costs: Mapping[str, Score]) -> float:
    return fmean(score.nats / score.tokens for score in costs.values())


def _costs(references: Sequence[Reference], talker: Talker) -> Mapping[str, Score]:
    """What each answer costs after its prompt. One that runs into its prompt has no tokens of its own, and is left out."""
    items = [ToScore(one.name, one.prompt, f"{blank}{one.answer}") for one in references for blank in BLANKS]
    found: dict[str, Score] = {}
    for score in talker.score(items):
        if score.tokens and (score.name not in found or score.nats < found[score.name].nats):
            found[score.name] = score
    return found
