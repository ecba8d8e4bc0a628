from __future__ import annotations

from collections.abc import Iterator, Sequence

from tpllint import Conversation, Good, Model, Problem, Rule, Severity, Template, quoted

BEGINNING = (1, 1)
ACCEPT = "look at what changed; to accept it, run tpllint lock TARGET"
AGAIN = (
    "pass the same --conversation and --var as when it was locked; or lock it again, once it is known to do what it should: "
    "tpllint lock TARGET"
)


class TemplateChangedSinceLock(Rule):
    """The template does something else than when it was locked.

    ## What it does
    With `--locked`, holds each template to [the lock file](../lock.md) that `tpllint lock` wrote. Where a conversation gives
    another prompt, or raises where it did not, and where a template is new or gone, that is an error. The special tokens
    count, since they are in the prompts. Where the source is another one and every prompt is the same, that is information.
    A conversation of your own that the lock does not have is not compared. Where one that it has, or a built-in one, cannot be
    compared, for it is not there or another one by now, that is a warning.

    ## Why is this bad
    A model was trained, tested and shipped with certain prompts. An edit of its template or its tokens, be it one of
    whitespace, changes what the model reads, and nothing else tells so.

    ## References
    - [Writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL908"
    name = "template-changed-since-lock"
    category = "hygiene"
    severity = Severity.ERROR
    judges_failures = True
    examples = (Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),)

    def check_template(self, template: Template) -> Iterator[Problem]:
        since = template.since_lock
        if since is None:
            return
        if since.changed:
            said = _amount(len(since.changed), since.compared, since.changed[0].name)
            yield _shown(template, since.changed[0], f"the prompts changed since they were locked: {said}", ACCEPT)
        elif since.cut_short:
            first = since.cut_short[0]
            message = f"a limit ended the render of {first.name}, so that it cannot be compared with what was locked"
            yield _shown(template, first, message, "simplify the template, or check it again where more time is left")
        elif not since.compared and (since.source or since.tokens):
            what = "the source" if since.source else "a special token"
            message = f"{what} changed since it was locked, and the lock's conversations are not those of this release"
            yield _about(template, message, AGAIN)
            return
        elif since.source:
            message = f"the source changed since it was locked; {_all(since.compared)} the same prompts"
            yield _about(template, message, ACCEPT)._replace(severity=Severity.INFO)
        if since.missed:
            all_ = since.compared + len(since.missed)
            yield _about(template, _not_compared(since.missed, all_), AGAIN)._replace(severity=Severity.WARNING)

    def check_model(self, model: Model) -> Iterator[Problem]:
        if model.locked is None:
            return
        labels = [template.label for template in model.templates]
        for template in model.templates:
            if template.label not in model.locked:
                yield _about(template, f"the template {quoted(template.label)} was not there when the model was locked", ACCEPT)
        for label in sorted(set(model.locked) - set(labels)):
            yield Problem(f"the template {quoted(label)} was locked and is not there any more", help=ACCEPT)


def _about(template: Template, message: str, help: str) -> Problem:
    """A problem of the whole file: no part of it is known to be the one that changed, and no comment in it accepts that."""
    return Problem(message, help, file=template.file, at=BEGINNING, template=template)


def _shown(template: Template, conversation: Conversation, message: str, help: str) -> Problem:
    render = template.render_conversation(conversation, generation_prompt=True)
    return _about(template, message, help)._replace(render=render)


def _amount(changed: int, compared: int, first: str) -> str:
    """How many conversations give other prompts, and which is the first."""
    if compared == 1:
        return f"the only conversation that can be compared, {first}, gives another one"
    gives = "conversations gives" if changed == 1 else "conversations give"
    return f"{changed} of {compared} {gives} others, first {first}"


def _not_compared(missed: Sequence[str], all_: int) -> str:
    were = "was" if len(missed) == 1 else "were"
    return f"{len(missed)} of {all_} conversations {were} not compared with what is locked, first {missed[0]}"


def _all(compared: int) -> str:
    return "the only conversation that can be compared gives" if compared == 1 else f"all {compared} conversations give"
