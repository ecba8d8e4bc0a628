"""What a model is asked through a template of its target, and what its answers amount to."""

from __future__ import annotations

import importlib.resources
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from tpllint.conversations import Conversation, from_json
from tpllint.conversations.rows import Prompt, prompt
from tpllint.describing import described
from tpllint.difference.diff import Fits
from tpllint.errors import RepairableError
from tpllint.generation.exchange import Answered, Loaded, ToAnswer
from tpllint.generation.fitting import Reference, fit, mean_cost
from tpllint.generation.mutants import parts
from tpllint.generation.settings import Weights
from tpllint.generation.talker import Heard, Talker, Tell
from tpllint.pool import Pool
from tpllint.rendering import Asked as AskedToRender
from tpllint.rendering import rendered
from tpllint.replies import Fit, Generated, Reply
from tpllint.sources.hub_target import parse_hub_target
from tpllint.storage.reading import Stored
from tpllint.targets import Request, Target

MAX_NEW_TOKENS = 64
ASSISTANT = "assistant"
THOUGHTS = ("<think>", "<thinking>", "<thought>", "<reasoning>")
"""How models open a thought in plain text."""

Named = tuple[str, Prompt]


class Asked(NamedTuple):
    """What a model is asked: prompts with their names, and how many tokens it may write to each."""

    prompts: tuple[Named, ...]
    max_new_tokens: int = MAX_NEW_TOKENS


class Spoken(NamedTuple):
    """What a model has said through the templates of a target: `generated` by their labels, to `conversations`.

    `unasked` are the names of prompts that no template renders; `seconds` is the time of the answers alone.
    """

    loaded: Loaded
    conversations: tuple[Mapping[str, Any], ...]
    generated: Mapping[str, Generated]
    unasked: tuple[str, ...]
    seconds: float

    @property
    def summary(self) -> str:
        """One line: how much was said, where and how fast, and how well the template fits."""
        replies = [reply for one in self.generated.values() for reply in one.replies]
        tokens = sum(reply.tokens for reply in replies)
        told = [
            f"{len(replies)} answers of {tokens} tokens in {self.seconds:.1f} s on {self.loaded.device}, {self.loaded.dtype}"
        ]
        told += [f"not asked, for it does not render: {', '.join(self.unasked)}"] if self.unasked else []
        told += [_fit_words(one.fit) for one in self.generated.values() if one.fit is not None]
        return "; ".join(told)


class Asking(NamedTuple):
    """A prompt as the template that callers get for it makes it; `record` is that of `tpllint render`.

    `answer` is the reference answer, None where there is none.
    """

    conversation: Conversation
    answer: str | None
    template: Stored
    record: Mapping[str, Any]

    @property
    def text(self) -> str:
        """What the model reads."""
        return str(self.record["text"])

    @property
    def reference(self) -> Reference:
        """What its answer costs is asked by."""
        return Reference(self.conversation.name, self.text, self.conversation.messages, self.answer or "")


def canonical_prompts() -> tuple[Named, ...]:
    """The prompts that a model is asked where the user names none."""
    text = importlib.resources.files("tpllint.conversations").joinpath("prompts.json").read_text(encoding="utf-8")
    return tuple((row["name"], prompt(row)) for row in json.loads(text))


def speak(
    target: Target,
    pool: Pool,
    request: Request,
    asked: Asked,
    talker: Talker,
    tell: Tell,
    heard: Heard | None = None,
) -> Spoken:
    """Load the model of a target and let it answer. Raises RepairableError."""
    descriptions = descriptions_of(target, pool, request)
    plain = descriptions.get(chosen(target, tools=False).label, {})
    prompts = prompted(target, pool, request, (*asked.prompts, *_toggled(asked.prompts, plain)))
    names = {one.conversation.name for one in prompts}
    loaded = talker.load(weights_of(target), tell)
    generated: dict[str, Generated] = {}
    seconds = 0.0
    for template, those in _by_template(prompts).items():
        batches = [those] if heard is None else [[one] for one in those]  # what is heard comes one after the other
        answered: list[Answered] = []
        for batch in batches:
            begun = time.monotonic()
            answered += talker.answer([_to_answer(one) for one in batch], template.source, asked.max_new_tokens, heard)
            seconds += time.monotonic() - begun
        references = [one.reference for one, said in zip(those, answered, strict=True) if one.answer and not _thinks(one, said)]
        described_ = descriptions.get(template.label)
        found = None if described_ is None else parts(described_, loaded.bos, vocabulary_of(target))
        generated[template.label] = Generated(tuple(_reply(one) for one in answered), found and fit(references, found, talker))
    conversations = tuple({"name": one.conversation.name, "data": one.conversation.as_json()} for one in prompts)
    return Spoken(loaded, conversations, generated, tuple(name for name, _ in asked.prompts if name not in names), seconds)


def vocabulary_of(target: Target) -> Set[str]:
    """The tokens that a model's files name."""
    assert target.resolved is not None
    known = target.resolved.vocabulary
    return {*known.ids, *known.named}


def side_fits(
    sides: tuple[Target, Target],
    pool: Pool,
    request: Request,
    prompts: Sequence[Named],
    talker: Talker,
    tell: Tell,
) -> Fits:
    """How well the model of the first side that has weights knows the templates of both. Raises RepairableError.

    The prompts count that both sides render.
    """
    speaker = _speaker(*sides)
    sides = _with_tokens_of(speaker, sides[0]), _with_tokens_of(speaker, sides[1])
    known = [{one.conversation.name: one for one in prompted(side, pool, request, prompts) if one.answer} for side in sides]
    names = [name for name in known[0] if name in known[1]]
    if not names:
        message = "no prompt with a reference answer renders on both sides"
        raise RepairableError("no-reference-answer", message, 'give --prompts FILE with rows of "prompt" and "completion"')
    talker.load(weights_of(speaker), tell)
    left, right = (mean_cost([those[name].reference for name in names], talker) for those in known)
    if left is None or right is None:
        message = "the reference answers run into their prompts"
        raise RepairableError("no-reference-answer", message, "give --prompts FILE with other answers")
    return Fits(left, right, len(names))


def _speaker(left: Target, right: Target) -> Target:
    """The first side that lists weights, else the left one."""
    listing = (side for side in (left, right) if side.model is not None and any(map(_is_weights, side.model.listing)))
    return next(listing, left)


def _with_tokens_of(speaker: Target, side: Target) -> Target:
    """A side whose files declare no special tokens, with those of the model that is asked."""
    if side.resolved is None or speaker.resolved is None or side.resolved.tokens.known:
        return side
    return side._replace(resolved=side.resolved._replace(tokens=speaker.resolved.tokens))


def _is_weights(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


def weights_of(target: Target) -> Weights:
    """Where the weights of a target are. Raises RepairableError where it can have none."""
    model = target.model
    if model is None or model.from_gguf:
        message = f"a GGUF file cannot be asked: {target.argument}"
        raise RepairableError("no-weights", message, "name the model that it was made from, on the Hub or in a folder")
    if model.folder is not None:
        return Weights(model.folder, None, None)
    on_hub = parse_hub_target(target.argument)
    if on_hub is None:
        message = f"a template alone has no model that could be asked: {target.argument}"
        raise RepairableError("no-weights", message, "name the model, and the template with --chat-template FILE")
    return Weights(None, on_hub.repository, model.commit)


def prompted(target: Target, pool: Pool, request: Request, prompts: Sequence[Named]) -> list[Asking]:
    """The prompts that render."""
    asked = {name: (from_json(name, one.data), one.answer) for name, one in prompts}
    begun = {name for name, (conversation, _) in asked.items() if _is_begun(conversation)}
    data = {name: dict(one.data) for name, one in prompts}
    records = {
        **_records(target, pool, request, {name: data[name] for name in data if name not in begun}, continued=False),
        **_records(target, pool, request, {name: data[name] for name in begun}, continued=True),
    }
    found: list[Asking] = []
    for name, (conversation, answer) in asked.items():
        template = chosen(target, tools=bool(conversation.tools))
        record = records.get((name, template.label))
        if record is not None:
            found.append(Asking(conversation, answer, template, record))
    return found


def _records(
    target: Target, pool: Pool, request: Request, data: Mapping[str, Mapping[str, Any]], *, continued: bool
) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """What `tpllint render` tells of conversations that render, by their names and the labels of templates."""
    if not data:
        return {}
    given = request._replace(conversations=tuple({"name": name, "data": one} for name, one in data.items()))
    (made,) = rendered([target], pool, AskedToRender(given, continue_final_message=continued, generation_prompt=not continued))
    return {(record["conversation"], record["template"]): record for record in made.renders if record["text"]}


def chosen(target: Target, *, tools: bool) -> Stored:
    """The template that a caller gets who names none. Raises RepairableError where that call raises."""
    resolved = target.resolved
    assert resolved is not None
    views = [view for view in resolved.views if view.templates]
    found = views[0].chosen(tools=tools) if views else resolved.templates[0]
    if found is None:
        message = f"transformers chooses none of the templates of {target.argument}"
        raise RepairableError("no-chat-template", message, "choose one with --template NAME")
    return found


def _is_begun(conversation: Conversation) -> bool:
    """Whether the last message is the beginning of the answer, which is to be continued."""
    return bool(conversation.messages) and conversation.messages[-1].get("role") == ASSISTANT


def _by_template(prompts: Sequence[Asking]) -> Mapping[Stored, list[Asking]]:
    found: dict[Stored, list[Asking]] = defaultdict(list)
    for one in prompts:
        found[one.template].append(one)
    return found


def _to_answer(one: Asking) -> ToAnswer:
    begun = _is_begun(one.conversation)
    conversation = {**one.record["inputs"], "clock": one.record["clock"]}
    return ToAnswer(one.conversation.name, one.text, conversation, not begun, begun)


def _thinks(one: Asking, said: Answered) -> bool:
    """Whether the answer does not come first: the prompt opens a thought, or the model begins with one, or with a token."""
    return one.text.rstrip().endswith(THOUGHTS) or said.text.lstrip().startswith((*THOUGHTS, *said.control))


def _reply(answered: Answered) -> Reply:
    return Reply(
        conversation=answered.name,
        text=answered.text,
        stop=answered.stop,
        tokens=answered.tokens,
        control=answered.control,
        bos=answered.bos,
        encoded_otherwise=answered.encoded_otherwise,
        limit=answered.limit,
    )


def descriptions_of(target: Target, pool: Pool, request: Request) -> Mapping[str, Mapping[str, Any]]:
    """What `tpllint describe` tells of each template by its label, where it can tell."""
    (told,) = described([target], pool, request)
    return {record["template"]: record for record in told.templates if not record["undecided"]}


def _toggled(prompts: Sequence[Named], description: Mapping[str, Any]) -> Iterator[Named]:
    """The first prompt with each variable about reasoning that the template heeds set, and unset."""
    toggles = ((description.get("reasoning") or {}).get("toggles") or ()) if prompts else ()
    for toggle in toggles:
        if toggle["acts_on"]:
            name, first = prompts[0]
            for value in (True, False):
                yield f"{name}, {toggle['name']}={str(value).lower()}", Prompt({**first.data, toggle["name"]: value})


def _fit_words(fit: Fit) -> str:
    """How well the template fits, beside the other one that fits best."""
    own = f"reference answers cost {fit.own:.3f} nats per token"
    if not fit.mutants:
        return own
    nearest = min(fit.mutants, key=lambda name: fit.mutants[name])
    return f"{own}, and {fit.mutants[nearest]:.3f} {nearest}"
