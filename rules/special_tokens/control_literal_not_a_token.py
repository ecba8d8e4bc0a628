from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator

from tpllint import BARE_MARKER, Bad, Good, Place, Problem, Rule, Severity, Template, quoted, tokenizer_json

SHAPES = (re.compile(r"<\|[\w/:.\-]+\|>"), re.compile("<\uff5c[\\w/:.\\-\u2581]+\uff5c>"), re.compile(r"\[/?[A-Z][A-Z_]+\]"))
"""Forms that hardly anything but a control token has."""
TAG = re.compile(r"</?[A-Za-z_]\w+>")
"""A form that plain text has too, as `<tools>`."""
FEWEST_SIBLINGS = 3
MOST = 3
SHORTEST = 6
"""How many letters a name has at least for a likeness to another to mean anything."""
LONG = 8
"""From how many letters on two slips are believed."""
FARTHEST = 2
DIGITS = re.compile(r"\d+")
TEMPLATE = (
    "{% for m in messages %}<|turn_start|>{{ m.role }}\n{{ m.content }}<|trun_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn_start|>assistant\\n' }}{% endif %}"
)
FILES = {"tokenizer.json": tokenizer_json("<|turn_start|>", "<|turn_end|>")}


class ControlLiteralNotAToken(Rule):
    """A marker in the form of a control token is plain text to this tokenizer.

    ## What it does
    Looks at the markers that the template writes out and that are no added token. Two kinds are suspected: one that is spelled
    almost like a token of this model, and one in a form such as `<|...|>` or `[NAME]` of which the template uses at least three
    others that are tokens, and at least three times as many. The `tokenizers` library then has to encode it to several tokens.

    Tags such as `<tools>` are plain text on purpose in many formats: only one that looks like a misspelled token is suspected.

    ## Why is this bad
    The model reads the characters of the marker one by one, as if a user had written them. It has never seen a turn that
    begins or ends like that.

    ## References
    - [axolotl issue 1770](https://github.com/axolotl-ai-cloud/axolotl/issues/1770)
    - [fms-hf-tuning issue 470](https://github.com/foundation-model-stack/fms-hf-tuning/issues/470)
    """

    code = "TPL207"
    name = "control-literal-not-a-token"
    category = "special-tokens"
    severity = Severity.WARNING
    examples = (
        Bad(
            TEMPLATE,
            files=FILES,
            says='"<|trun_end|>" is 12 tokens in this model, and "<|turn_end|>" is one',
            better=TEMPLATE.replace("trun", "turn"),
        ),
        Bad(
            "[SYS]{{ m }}[/SYS]{% for m in messages %}[INST]{{ m.content }}[/INST]{{ m.content }}[END]{% endfor %}",
            files={"tokenizer.json": tokenizer_json("[SYS]", "[/SYS]", "[INST]", "[/INST]")},
            says='"[END]" is 5 tokens in this model, while others like "[/INST]" are one each',
        ),
        Good(
            "{% for m in messages %}<|turn_start|>{{ m.role }}<tools>{{ m.content }}</tools><|turn_end|>{% endfor %}",
            files=FILES,
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}", files=FILES),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        written = dict(_markers(template))
        unknown = [marker for marker in written if marker not in template.tokenizer.known]
        if not any(_form(marker) is not TAG for marker in unknown) and not _misspelled(template, unknown):
            return
        added = template.tokenizer.added
        if added is None:
            return
        for marker in unknown:
            meant, siblings = _meant(marker, added), _siblings(marker, written, added)
            ids = template.tokenizer.encoded(marker) if meant or siblings else None
            if ids is not None and len(ids) > 1:
                others = f"and {quoted(meant)} is one" if meant else f"while others like {quoted(siblings[0])} are one each"
                yield Problem(
                    f"{quoted(marker)} is {len(ids)} tokens in this model, {others}",
                    help=f"write {quoted(meant)}" if meant else "write a token of this model, or add this one to its tokenizer",
                    place=written[marker],
                )


def _markers(template: Template) -> Iterator[tuple[str, Place]]:
    """Every marker that the source writes out, and where it does so last."""
    for node in template.syntax.find("TemplateData", "Const") if template.syntax else ():
        held = node.data if hasattr(node, "data") else node.value
        for marker in BARE_MARKER.findall(held) if isinstance(held, str) else ():
            start = template.text.find(marker, node.lineno - 1)
            if start >= 0 and _form(marker):
                yield marker, Place(start, start + len(marker))


def _form(marker: str) -> re.Pattern[str] | None:
    return next((form for form in (*SHAPES, TAG) if form.fullmatch(marker)), None)


def _misspelled(template: Template, markers: Iterable[str]) -> bool:
    return any(_meant(marker, template.tokenizer.known) for marker in markers)


def _meant(marker: str, tokens: Iterable[str]) -> str | None:
    """The token that a marker is a misspelling of; None where it looks like none."""
    name, form = _name(marker), _form(marker)
    if len(name) < SHORTEST or form is None:
        return None
    near = (token for token in tokens if abs(len(token) - len(marker)) <= FARTHEST and form.fullmatch(token))
    return next((token for token in near if _is_misspelled(name, _name(token))), None)


def _is_misspelled(name: str, meant: str) -> bool:
    """Whether two names differ by a slip; a plural, another number and a slash are no slips."""
    if DIGITS.sub("", name) == DIGITS.sub("", meant) or name.rstrip("s") == meant.rstrip("s"):
        return False
    return _distance(name, meant) <= (FARTHEST if len(name) >= LONG else 1)


def _name(marker: str) -> str:
    return re.sub(r"\W", "", marker).casefold()


def _siblings(marker: str, written: Iterable[str], added: Container[str]) -> list[str]:
    """The tokens that the template writes in the form of a marker; none where they are too few to tell."""
    form = _form(marker)
    alike = [other for other in written if form is not TAG and _form(other) is form]
    tokens = sorted(other for other in alike if other in added)
    return tokens if len(tokens) >= max(FEWEST_SIBLINGS, MOST * (len(alike) - len(tokens))) else []


def _distance(left: str, right: str) -> int:
    """How many letters have to be changed, added, left out or swapped with their neighbour to make one word of the other."""
    rows = [list(range(len(right) + 1))]
    for i, letter in enumerate(left, 1):
        row = [i]
        for j, other in enumerate(right, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            swapped = i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other
            row.append(min(cost, rows[-2][j - 2] + 1) if swapped else cost)
        rows.append(row)
    return rows[-1][-1]
