"""What `diff` found, in words: the same in every report."""

from __future__ import annotations

from tpllint.difference.diff import Diff, Structure, Verdict
from tpllint.difference.examples import Example
from tpllint.difference.outcomes import Compared, Status
from tpllint.difference.shown import Traced
from tpllint.report.description_words import quoted
from tpllint.report.escape import escape
from tpllint.report.text import counted

LONGEST_NAME = 120


def summary(diff: Diff) -> str:
    """What the verdict rests on."""
    if diff.verdict is Verdict.IDENTICAL:
        return "the same source and the same prompts"
    all_ = len(diff.conversations)
    if diff.verdict is Verdict.COSMETIC:
        return f"the source differs, none of {counted(all_, 'prompt')} does"
    if not all_:
        return "no template of the same name on both sides"
    counts = (
        (Status.DIFFERENT, "differ"),
        (Status.LEFT_RAISES, "only raise on the left"),
        (Status.RIGHT_RAISES, "only raise on the right"),
    )
    told = ((sum(each.status is status for each in diff.conversations), words) for status, words in counts)
    parts = [f"{number} {words}" for number, words in told if number]
    names = len(diff.templates_added) + len(diff.templates_removed)
    only = f", and {counted(names, 'template')} on one side only" if names else ""
    return f"of {counted(all_, 'prompt')} {', '.join(parts) or 'none differs'}{only}"


def undecided_words(diff: Diff) -> str:
    """How much could not be compared; nothing where all could."""
    told = []
    if diff.undecided:
        told.append(f"{counted(len(diff.undecided), 'conversation')} not compared, for want of time: {diff.undecided[0]}")
    if diff.untried:
        told.append(f"{counted(diff.untried, 'setting')} of variables or words not tried: there are too many")
    return "; ".join(told)


def fit_words(diff: Diff) -> str:
    """How well a model's answers go with each side; nothing where none was asked."""
    if diff.fits is None:
        return ""
    left, right, answers = diff.fits
    better = "both alike" if left == right else "the left one better" if left < right else "the right one better"
    costs = f"{counted(answers, 'reference answer')} cost {left:.3f} nats per token on the left, {right:.3f} on the right"
    return f"the model knows {better}: {costs}"


def structure_words(diff: Diff, template: str) -> str:
    """How far the prompts of a template differ."""
    raises = any(each.template == template and each.status is not Status.DIFFERENT for each in diff.changed)
    where = ", where both sides render" if raises and diff.structures[template] is not Structure.NONE else ""
    told = {
        Structure.NONE: "there is no conversation that both sides render",
        Structure.SAME: "the same prompts",
        Structure.DIALECT: "the same structure in another dialect",
        Structure.DIFFERENT: "prompts differ",
    }
    return told[diff.structures[template]] + where


def prompts_title(diff: Diff) -> str:
    """How many prompts differ, and in what."""
    dialect = len(diff.changed) - len(diff.deeper)
    rest = f"{counted(len(diff.changed), 'prompt')} that differ"
    if dialect == len(diff.changed):
        return f"in {rest} nothing differs but the markers of turns"
    beside = f", {dialect} of them only in the markers of turns" if dialect else ""
    return f"{rest}{beside}: every change, each where it first shows"


def title(compared: Compared, diff: Diff) -> str:
    """What tells a conversation from the others."""
    flag = "with" if compared.add_generation_prompt else "without"
    template = f" ({escape(compared.template, LONGEST_NAME)})" if len(diff.structures) > 1 else ""
    return f"{escape(compared.name, LONGEST_NAME)}{template}, {flag} generation prompt"


def alike_words(example: Example) -> str:
    """How many other conversations show the same."""
    if not example.alike:
        return ""
    return "; another one shows the same" if example.alike == 1 else f"; {example.alike} others show the same"


def raised(compared: Compared) -> str:
    """Who raises what."""
    side, other = ("left", "right") if compared.status is Status.LEFT_RAISES else ("right", "left")
    error = compared.left.error if side == "left" else compared.right.error
    return f"{side} raises {quoted(error)}, {other} renders it"


def turn_words(traced: Traced) -> str:
    """How many tokens each turn takes, and the whole prompt."""
    turns = traced.turns or ()
    each = ", ".join(f"{escape(turn.role, 16) if turn.role else 'around them'} {turn.tokens}" for turn in turns)
    return f"{counted(sum(turn.tokens for turn in turns), 'token')}: {each}"
