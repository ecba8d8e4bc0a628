"""What a rule author sees: `Rule`, the `Problem` it yields, and the `Bad` and `Good` examples that test and document it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from tpllint.quoting import quoted
from tpllint.replies import Fit, Generated, Reply
from tpllint.severity import Severity
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.model import Model
    from tpllint.analysis.renders import Render
    from tpllint.analysis.template import Template

CATEGORIES = (
    "storage",
    "syntax",
    "generation-prompt",
    "special-tokens",
    "content",
    "tools",
    "thinking",
    "training",
    "portability",
    "security",
    "hygiene",
    "generation",
)


PROFILES = ("default", "agent", "training", "security", "all")
"""What a model is checked for. Rules raise some of their infos in one of them; `Selection` tells what else each one means."""


class Related(NamedTuple):
    """Another piece of code that a problem is about, such as the opener that a generation prompt contradicts.

    `place`, or the code that wrote `shows` in the prompt of `render`, both of `template` where that is another one than the
    problem's; or `at`, a line and a column in `file`. Where none can be told it is left out.
    """

    message: str
    place: Place | None = None
    render: Render | None = None
    shows: str | tuple[int, int] | None = None
    template: Template | None = None
    file: str | None = None
    at: tuple[int, int] | None = None


class Edit(NamedTuple):
    """Put `text` in the place of what stands at `place` in a template's source."""

    place: Place
    text: str


class Rewrite(NamedTuple):
    """A fix that changes what a template says, and all that it may change of prompts.

    Each prompt loses `loses` at its beginning; one with a generation prompt gets `gains` at its end.
    """

    edits: tuple[Edit, ...]
    loses: str = ""
    gains: str = ""


class OwnFile(NamedTuple):
    """A fix that gives every template of a JSON file a file of its own, and changes no prompt."""


Fix: TypeAlias = Rewrite | OwnFile
"""What would repair a problem. It is applied only where it turns out, tried first, to do what it says and nothing else."""


class Problem(NamedTuple):
    """One defect that a rule found.

    `render` is the evidence: its conversation and its prompt are shown, cut around what matters in it. That is `shows`: words,
    of which the last occurrence counts, or offsets into the prompt (0-based, end exclusive); None is the prompt's end.
    `place` is in the template's source. Without one, the place is the code that wrote what `shows` names or, where the render
    failed, the code that was being executed; for a text that is `lost`, the condition that kept it out, looked for when the
    problem is told (see `Template.place_of_loss`, also for `about`). A problem of a whole file names `file` instead, by its
    path in the model or as a fact does, and with `at` a line and a column in it. `template` is the one that a problem from
    `check_model` is about. `severity` overrides the rule's own; `engine` is the one that it is about where that is not
    transformers. `holds` tells whether the render of another conversation shows the same problem: then the evidence is the
    smallest part of this one for which that is so. `usual` is a prompt without the problem to be seen beside the one of
    `render`, such as that of a conversation without a trigger: both are shown from where they part. `fix` is
    what `check --fix` can do about it; a `Rewrite` is of this template.
    """

    message: str
    help: str
    place: Place | None = None
    file: str | None = None
    severity: Severity | None = None
    render: Render | None = None
    shows: str | tuple[int, int] | None = None
    related: tuple[Related, ...] = ()
    at: tuple[int, int] | None = None
    template: Template | None = None
    holds: Callable[[Render], bool] | None = None
    engine: str | None = None
    lost: str | None = None
    about: str = ""
    usual: str | None = None
    fix: Fix | None = None


def with_template(files: Mapping[str, str], template: str | None) -> dict[str, str]:
    """The files of a model folder by name, with this chat_template.jinja where there is one."""
    return {**files} if template is None else {**files, "chat_template.jinja": template}


def in_words(generated: Generated) -> Iterator[str]:
    """What a model said, a line for each reply and for each score."""
    for reply in generated.replies:
        end = f"at its limit of {reply.limit} tokens" if reply.stop is None else f"at {quoted(reply.stop)}"
        yield f"to {reply.conversation}: {quoted(reply.text)}, and ends {end}"
    if generated.fit is not None:
        yield f"reference answers: {generated.fit.own:.3f} nats per token"
        yield from (f"{name}: {nats:.3f}" for name, nats in generated.fit.mutants.items())


class Good(NamedTuple):
    """An input on which the rule must stay silent; `expect` names capabilities that the model promises.

    Of a rule that judges replies, they are an input too, and `fit`.
    """

    template: str | None = None
    files: Mapping[str, str] = {}
    expect: tuple[str, ...] = ()
    replies: tuple[Reply, ...] = ()
    fit: Fit | None = None

    @property
    def generated(self) -> Generated | None:
        """What the model said; None where it was not asked."""
        return Generated(self.replies, self.fit) if self.replies or self.fit else None


class Bad(NamedTuple):
    """An input on which the rule must say exactly `says`, and `better`, the repaired template, must be silent.

    Give `template`, the text of a chat_template.jinja, or `files`, the contents of a model folder by name, or both. `expect`
    names capabilities that the model promises, as `--expect` does. `replies` are what the model wrote, and `fit` how well
    reference answers go with its prompts, for a rule that judges replies; `better_replies` are what it writes after the repair,
    where that is not the same.
    """

    template: str | None = None
    files: Mapping[str, str] = {}
    says: str = ""
    better: str | None = None
    better_files: Mapping[str, str] | None = None
    expect: tuple[str, ...] = ()
    replies: tuple[Reply, ...] = ()
    fit: Fit | None = None
    better_replies: tuple[Reply, ...] = ()

    @property
    def generated(self) -> Generated | None:
        """What the model said; None where it was not asked."""
        return Generated(self.replies, self.fit) if self.replies or self.fit else None

    @property
    def better_generated(self) -> Generated | None:
        """What the model says after the repair."""
        return Generated(self.better_replies, self.fit) if self.better_replies else self.generated

    @property
    def folder(self) -> dict[str, str]:
        """The model folder that is meant, by file name."""
        return with_template(self.files, self.template)

    @property
    def better_folder(self) -> dict[str, str]:
        """The folder after the repair: `better_files`, or the same files with the template `better`; empty without one."""
        if self.better is None and self.better_files is None:
            return {}
        return with_template(self.files if self.better_files is None else self.better_files, self.better)


class RuleInfo(NamedTuple):
    """What anybody outside the worker needs to know of a rule; plain data that travels between processes.

    `documentation`, `example`, `better` and `replies` (what the model wrote in the example) are left empty where nobody shows
    them.
    """

    code: str
    name: str
    category: str
    severity: Severity
    summary: str
    documentation: str
    pack: str
    needs_a_chat: bool
    example: Mapping[str, str] = {}
    better: Mapping[str, str] = {}
    raised_by: Mapping[str, Severity] = {}
    slow: bool = False
    vets: bool = False
    judges_replies: bool = False
    replies: tuple[str, ...] = ()

    @property
    def levels(self) -> str:
        """How bad its findings are, in words: `error by default, warning instead of info in the profile agent`."""
        if self.judges_replies:
            return f"{self.severity} with --generate"
        if self.slow:
            return f"{self.severity} where it is selected, and in the profile {' or '.join((*self.raised_by, 'all'))}"
        raised = (f"{level} instead of info in the profile {profile}" for profile, level in self.raised_by.items())
        return ", ".join((f"{self.severity} by default", *raised))


class Rule:
    """One kind of defect: identity, documentation (the class docstring), examples and the check itself.

    The docstring's first line is the summary shown in lists; then follow the sections `What it does`, `Why is this bad`
    and `References`. The example and its repair come from `examples`. Override `check_template`, which sees one template,
    `check_source`, which sees it before it is executed, or `check_model`, which sees the files around it. A check is pure: it
    keeps nothing between calls.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    category: ClassVar[str]
    severity: ClassVar[Severity]
    static: ClassVar[bool] = False
    """Whether the check reads only the source and its syntax: such rules speak before anything is executed."""
    judges_failures: ClassVar[bool] = False
    """Whether the rule has a verdict on a template that does not compile or that renders no plain chat."""
    only_infos: ClassVar[bool] = False
    """Whether no finding is worse than an info: where nobody is told of those, the check need not run."""
    vets: ClassVar[bool] = False
    """Whether the rule belongs to the vetting of a download, though its category does not (see `Selection`)."""
    judges_replies: ClassVar[bool] = False
    """Whether the rule judges what the model wrote: it runs where that is known, and no other rule does."""
    slow: ClassVar[bool] = False
    """Whether answers to its questions take seconds: they are looked for only where somebody asks for the rule."""
    for_named_engines: ClassVar[bool] = False
    """Whether findings are no more than infos where the user names no engines that the template has to run on."""
    raised_by: ClassVar[Mapping[str, Severity]] = {}
    """By the name of a profile, the severity that a finding has there where it would be an info."""
    examples: ClassVar[tuple[Bad | Good, ...]] = ()

    def check_source(self, template: Template) -> Iterator[Problem]:
        """Yield what the source and its syntax tell of one template. It runs before anything is compiled or rendered."""
        yield from ()

    def check_template(self, template: Template) -> Iterator[Problem]:
        """Yield the problems of one template."""
        yield from ()

    def check_model(self, model: Model) -> Iterator[Problem]:
        """Yield the problems of the model's files, apart from any one template."""
        yield from ()

    @classmethod
    def info(cls) -> RuleInfo:
        """The rule's identity and documentation as plain data."""
        documentation = inspect.cleandoc(cls.__doc__ or "").partition("\n")[2]
        bad = next((example for example in cls.examples if isinstance(example, Bad)), Bad())
        told = cls.identity()._replace(documentation=documentation.strip(), example=bad.folder, better=bad.better_folder)
        return told._replace(replies=tuple(in_words(bad.generated)) if bad.generated else ())

    @classmethod
    def identity(cls) -> RuleInfo:
        """What a check has to know of the rule: all but its documentation and its example."""
        return RuleInfo(
            code=cls.code,
            name=cls.name,
            category=cls.category,
            severity=cls.severity,
            summary=(cls.__doc__ or "").strip().partition("\n")[0],
            documentation="",
            pack=cls.__module__.partition(".")[0],
            needs_a_chat=not (cls.static or cls.judges_failures),
            raised_by=dict(cls.raised_by),
            slow=cls.slow,
            vets=cls.vets,
            judges_replies=cls.judges_replies,
        )


def rule_info_from_json(data: Mapping[str, Any]) -> RuleInfo:
    """A RuleInfo from its fields; raises KeyError or ValueError on anything else."""
    raised = {profile: Severity(level) for profile, level in data["raised_by"].items()}
    replies = tuple(data["replies"])
    return RuleInfo(**{**data, "severity": Severity(data["severity"]), "raised_by": raised, "replies": replies})
