"""From examples of a change to what a person is shown: the code behind each passage, and the tokens of each turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tpllint.conversations.variations import Probes
from tpllint.difference.dialects import Aligned
from tpllint.difference.examples import Example
from tpllint.difference.outcomes import Key
from tpllint.difference.shown import Code, Shown, Traced, Turn
from tpllint.errors import RepairableError
from tpllint.job import Origin
from tpllint.pool import Pool
from tpllint.rendering import Asked, Prompt, rendered
from tpllint.snippet import snippet
from tpllint.sources.files import TOKENIZER
from tpllint.span import Position
from tpllint.targets import Request, Target
from tpllint.tokenizing import Token, encode, tokenizer_of


def shown(
    found: Sequence[Example],
    targets: Sequence[Target],
    pool: Pool,
    request: Request,
    probes: Probes,
    *,
    counted: bool = False,
) -> Iterator[Shown]:
    """The examples with what is known of both sides, in their order; `probes` are those that conversations were made for.

    Tokens are counted where they can be; with `counted`, RepairableError is raised where they cannot.
    """
    if not found:
        return
    chosen = tuple(example.compared.key for example in found)
    results = rendered(targets, pool, Asked(request, chosen=chosen, probes=probes, origins=True))
    left, right = (_Half(target, result.prompts, counted) for target, result in zip(targets, results, strict=True))
    for example in found:
        spans = zip(*((passage.left, passage.right) for passage in example.passages), strict=True)
        left_spans, right_spans = tuple(spans) or ((), ())
        yield Shown(
            example,
            left.traced(example.compared.key, example.left, left_spans),
            right.traced(example.compared.key, example.right, right_spans),
        )


class _Half:
    """One side's prompts of the examples."""

    def __init__(self, target: Target, prompts: Sequence[Prompt], counted: bool) -> None:
        self._target = target
        self._prompts = {_key(prompt): prompt for prompt in prompts if prompt.record["text"] is not None}
        texts = [prompt.record["text"] for prompt in self._prompts.values()]
        self._tokens = _counted(target, texts) if counted else _tokens(target, texts)

    def traced(self, key: Key, text: Aligned, spans: Sequence[tuple[int, int]]) -> Traced | None:
        """What is known of a prompt; None where there is none."""
        prompt = self._prompts.get(key)
        if prompt is None:
            return None
        codes = tuple(self._code(key[0], _writer(prompt.origins, *text.in_prompt(span))) for span in spans)
        roles = tuple(str(message.get("role")) for message in prompt.record["inputs"]["messages"])
        tokens = self._tokens.get(prompt.record["text"])
        return Traced(prompt.origins, roles, codes, None if tokens is None else tuple(_turns(tokens, prompt.origins, roles)))

    def _code(self, template: str, origin: Origin | None) -> Code | None:
        resolved = self._target.resolved
        stored = next((one for one in resolved.templates if one.label == template), None) if resolved else None
        if origin is None or origin.place is None or stored is None:
            return None
        line, column, end_line, end_column = origin.place
        span = stored.span_in_file(Position(line, column), Position(end_line, end_column))
        return Code(stored.file.shown, span, snippet(stored.file.lined, span))


def _key(prompt: Prompt) -> Key:
    record: Mapping[str, Any] = prompt.record
    return record["template"], record["conversation"], record["add_generation_prompt"]


def _writer(origins: Sequence[Origin], start: int, end: int) -> Origin | None:
    """What wrote a part of a prompt; of an empty one, what stands before it, or after it at the beginning."""
    first, last = (start, end) if end > start else (max(start - 1, 0), max(start, 1))
    return next((origin for origin in origins if origin.start < last and origin.end > first and origin.place), None)


def _tokens(target: Target, texts: Sequence[str]) -> dict[str, tuple[Token, ...]]:
    """The tokens of each text; none where nothing at hand tells them."""
    if target.model is None or TOKENIZER not in target.model.files:
        return {}
    try:
        return _counted(target, texts)
    except RepairableError:  # without counts the rest is still worth showing
        return {}


def _counted(target: Target, texts: Sequence[str]) -> dict[str, tuple[Token, ...]]:
    """The tokens of each text. Raises RepairableError."""
    assert target.model is not None
    assert target.resolved is not None
    special = target.resolved.tokens
    encoded = encode(tokenizer_of(target.model), texts, tuple(special.values.values()) if special.known else ())
    return dict(zip(texts, encoded, strict=True))


def _turns(tokens: Sequence[Token], origins: Sequence[Origin], roles: Sequence[str]) -> Iterator[Turn]:
    """How many tokens begin in each message's turn, and how many in none."""
    counts: Counter[int | None] = Counter()
    at = 0
    for token in tokens:
        while at + 1 < len(origins) and origins[at].end <= token.start:
            at += 1
        origin = origins[at] if origins else Origin(0, 0)
        counts[origin.message if origin.message is not None else origin.during] += 1
    yield from (Turn(role, counts[index]) for index, role in enumerate(roles))
    if counts[None]:
        yield Turn(None, counts[None])
