"""What the parent asks a worker to do with one target, and what comes back; plain data on both sides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tpllint.replies import Generated, generated_from_json

TOKENS, RESPONSE = "tokens", "response"
"""What rules ask: which tokens a text becomes; what an answer is parsed into, as JSON of prompt, answer and tools."""


class Fact(NamedTuple):
    """A fact about a model's files that the parent found while it resolved them; a rule puts it into words.

    `kind` is one of `unreadable`, `unread`, `missing`, `misplaced`, `duplicate-name`, `unsafe-name`, `duplicate-key`,
    `adapter`, `tekken`, `no-processor-template`, `damaged-gguf`, `gguf-without-template`, `no-base-model`. `detail` is a
    clause about the file; of an adapter its base model, of a processor without a template the file that it does not read.
    `at` is a line and column in the file, `before` another one that `at` repeats.
    """

    kind: str
    file: str | None
    detail: str
    at: tuple[int, int] | None = None
    before: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The file's name without the folder or the repository that it is in."""
        return re.split(r"[/:]", self.file or "")[-1]


class Origin(NamedTuple):
    """A span of a prompt, and whose it is, by the index of the message.

    `message` has these words in it; None for the template's own words and all else. `during` is the message in whose turn of a
    loop they were written, None outside of such turns. `place` is the code that wrote them: line, column, end line and end
    column in the template; None where nothing tells.
    """

    start: int
    end: int
    message: int | None = None
    during: int | None = None
    place: tuple[int, int, int, int] | None = None


class Variant(NamedTuple):
    """One template of a target.

    `name` is the one that transformers knows it by, `label` the one that no other template of the target has. `file` is the
    path of its file in the model. `checked` tells whether rules look at it; what no loader takes is only there to be compared.
    `carriage_returns` tells whether the file's lines end with one, which `source` need not show; `lone_carriage_return` is the
    offset in the source, line ends counted as one character, of the first one that no line feed follows.
    """

    name: str
    source: str
    label: str = ""
    file: str = ""
    checked: bool = True
    carriage_returns: bool = False
    lone_carriage_return: int | None = None


class Loaded(NamedTuple):
    """What one of transformers' loaders (`tokenizer` or `processor`) makes of a model's files.

    `templates` and `shadowed` are indices into the job's templates: what it loads, and what stands where it looks and is not
    loaded. `named` tells whether callers choose between the templates by name. `error` is why it raises instead of loading.
    `certain` tells whether the files leave no doubt that the model has such a loader.
    """

    loader: str
    templates: tuple[int, ...] = ()
    shadowed: tuple[int, ...] = ()
    named: bool = False
    error: str | None = None
    certain: bool = True


class Vocabulary(NamedTuple):
    """A model's tokens, as far as files tell.

    `ids` are those of added tokens, and with `told` of all of them; `named` are tokens that files name, with or without an id.
    `adds_bos` tells whether encoding a text puts the beginning of sequence before it; None where that is unknown. `stops` are
    the ids at which the model stops, by the file `stops_in`; None where no such file is at hand. `unread` tells that
    there is a tokenizer.json, which was not read and knows more. `response_template` is how answers are parsed.
    """

    ids: Mapping[str, int] = {}
    told: bool = False
    named: tuple[str, ...] = ()
    adds_bos: bool | None = None
    stops: tuple[int, ...] | None = None
    stops_in: str | None = None
    unread: bool = False
    response_template: Mapping[str, Any] | None = None


class Locked(NamedTuple):
    """What a lock holds of one template, as signatures: of its source, of the special tokens that it was given, and by the name
    of each conversation that of the conversation and that of the prompts that came of it.
    """

    source: str
    tokens: str
    conversations: Mapping[str, tuple[str, str]]


class Job(NamedTuple):
    """Everything a worker needs for one target.

    `tokens` are the special tokens by name; `tokens_known` tells whether a file declared them or they are placeholders;
    `absent_tokens` are those that certainly have no value.
    `conversations` are a user's own, as their files gave them. `variables` are extra template variables. `want` is
    "findings", "renders", "description", "rows", "side" (of a comparison) or "signatures", and `selection` the particulars
    of it. `expect` are the capabilities that the user was promised. `quiet` are the rules whose infos nobody is told.
    `vocabulary` is what files tell of the model's tokens. `token_ids` are texts that an earlier pass asked about, with the
    ids that encode them, `token_spans` the same with the spans of their tokens; `responses` are the answers that it asked to
    be parsed, with what came of them. `requires` are the engines that the templates have to run on. `locked` is by its label
    what each template was when it was locked, `generated` by its label what the model said through it; None where nobody asks.
    """

    templates: tuple[Variant, ...]
    tokens: Mapping[str, str]
    tokens_known: bool
    absent_tokens: tuple[str, ...] = ()
    storage: tuple[Fact, ...] = ()
    rules: tuple[str, ...] = ()
    conversations: tuple[Mapping[str, Any], ...] = ()
    variables: Mapping[str, Any] = {}
    want: str = "findings"
    selection: Mapping[str, Any] = {}
    expect: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    views: tuple[Loaded, ...] = ()
    vocabulary: Vocabulary = Vocabulary()
    token_ids: Mapping[str, tuple[int, ...]] = {}
    requires: tuple[str, ...] = ()
    token_spans: Mapping[str, tuple[tuple[int, int], ...]] = {}
    responses: Mapping[str, Mapping[str, Any]] = {}
    locked: Mapping[str, Locked] | None = None
    generated: Mapping[str, Generated] | None = None

    def as_json(self) -> dict[str, Any]:
        """The job as a message body."""
        return {
            **self._asdict(),
            "templates": [variant._asdict() for variant in self.templates],
            "storage": [fact._asdict() for fact in self.storage],
            "views": [view._asdict() for view in self.views],
            "vocabulary": self.vocabulary._asdict(),
            "locked": self.locked and {label: locked._asdict() for label, locked in self.locked.items()},
            "generated": self.generated and {label: said.as_json() for label, said in self.generated.items()},
        }


def job_from_json(data: Mapping[str, Any]) -> Job:
    """The inverse of `Job.as_json`, on the worker's side."""
    fields = dict(data)
    fields["templates"] = tuple(Variant(**item) for item in data["templates"])
    fields["views"] = tuple(_loaded(item) for item in data["views"])
    fields["storage"] = tuple(_storage(item) for item in data["storage"])
    fields["rules"] = tuple(data["rules"])
    fields["absent_tokens"] = tuple(data["absent_tokens"])
    fields["conversations"] = tuple(data["conversations"])
    fields["expect"] = tuple(data["expect"])
    fields["requires"] = tuple(data["requires"])
    fields["vocabulary"] = _vocabulary(data["vocabulary"])
    fields["token_ids"] = {text: tuple(ids) for text, ids in data["token_ids"].items()}
    fields["token_spans"] = {text: tuple((a, b) for a, b in spans) for text, spans in data["token_spans"].items()}
    fields["locked"] = data["locked"] and {label: _locked(item) for label, item in data["locked"].items()}
    generated = data["generated"]
    fields["generated"] = generated and {label: generated_from_json(item) for label, item in generated.items()}
    return Job(**fields)


def _storage(item: Mapping[str, Any]) -> Fact:
    at, before = (None if place is None else (place[0], place[1]) for place in (item["at"], item["before"]))
    return Fact(item["kind"], item["file"], item["detail"], at, before)


def _loaded(item: Mapping[str, Any]) -> Loaded:
    return Loaded(**{**item, "templates": tuple(item["templates"]), "shadowed": tuple(item["shadowed"])})


def _locked(item: Mapping[str, Any]) -> Locked:
    conversations = {name: (asked, prompts) for name, (asked, prompts) in item["conversations"].items()}
    return Locked(item["source"], item["tokens"], conversations)


def _vocabulary(item: Mapping[str, Any]) -> Vocabulary:
    stops = item["stops"]
    return Vocabulary(**{**item, "named": tuple(item["named"]), "stops": None if stops is None else tuple(stops)})
