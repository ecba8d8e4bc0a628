from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator

from tpllint import BARE_MARKER, Bad, Good, Place, Problem, Rule, Severity, Template, quoted, tokenizer_json

SHAPES = (re.compile(r"<\|[\w/:.\-]+\|>"), re.compile("<\uff5c[\\w/:.\\-\u2581]+\uff5c>"), re.compile(r"\[/?[A-Z][A-Z_]+\]"))
"""Forms that hardly anything but a control token has."""
TAG = re.compile(r"</?[A-Za-z_]\w+>")
"""A form that plain text has too, as `<tools>`."""
HALF = re.compile("<[|\uff5c][\\w/:.\\-\u2581]+>|<[\\w/:.\\-\u2581]+[|\uff5c]>")
"""A form that some models have, and in others one of the bars was forgotten."""
FOLDED = str.maketrans("\u2581-", "__")
OPPOSITES = {"start": "end", "end": "start", "begin": "end", "prefix": "suffix", "suffix": "prefix"}
FEWEST_SIBLINGS = 3
MOST = 3
SHORTEST = 6
"""How many letters a name has at least for a likeness to another to mean anything."""
LONG = 8
"""From how many letters on two slips are believed."""
FARTHEST = 2
REPAIR = "write a token of this model, or add this one to its tokenizer"
PLURAL = re.compile("s(?![a-z])")
DIGITS = re.compile(r"\d+")
TEMPLATE = (
    "{% for m in messages %}<|turn_start|>{{ m.role }}\n{{ m.content }}<|trun_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn_start|>assistant\\n' }}{% endif %}"
)
FILES = {"tokenizer.json": tokenizer_json("<|turn_start|>", "<|turn_end|>")}


class ControlLiteralNotAToken(Rule):
    """A marker in the form of a control token is plain text to this tokenizer.

    ## What it does
    Looks at the markers that the template writes out and that are no added token. Three kinds are suspected: one that is
    spelled almost like a token of this model; one that opens or closes what a token of this model closes or opens, as
    `<|turn_end|>` does beside `<|turn_start|>`; and one in a form such as `<|...|>` or `[NAME]` of which the template uses at
    least three others that are tokens, and at least three times as many. The `tokenizers` library then has to encode it to
    several tokens. It is not needed where a marker is a token but for capitals, the kind of bars and dashes, a bar or a letter
    that is missing or too many, or two letters that are swapped.

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
        Bad(
            TEMPLATE,
            files={"tokenizer_config.json": '{"eos_token": "<|turn_end|>"}'},
            says='"<|trun_end|>" is no token of this model, and "<|turn_end|>" is one',
            better=TEMPLATE.replace("trun", "turn"),
        ),
        Bad(
            TEMPLATE.replace("<|trun_end|>", "<\uff5cturn\u2581end\uff5c>"),
            files=FILES,
            says='"<\uff5cturn\u2581end\uff5c>" is 12 tokens in this model, and "<|turn_end|>" is one',
        ),
        Bad(
            TEMPLATE.replace("trun", "turn"),
            files={"tokenizer.json": tokenizer_json("<|turn_start|>", "<|end|>")},
            says='"<|turn_end|>" is 12 tokens in this model, while its counterpart "<|turn_start|>" is one',
            better_files={"tokenizer.json": tokenizer_json("<|turn_start|>", "<|turn_end|>")},
        ),
        Good(
            TEMPLATE.replace("trun", "turn"),
            files={"tokenizer_config.json": '{"added_tokens_decoder": {"7": {"content": "<|turn_end|>"}}}'},
        ),
        Good(
            "{% for m in messages %}<|turn>{{ m.role }}{{ m.content }}<turn|>{% endfor %}",
            files={
                "tokenizer.json": tokenizer_json("<|turn>", "<turn|>"),
            },
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
        if not any(_form(marker) in SHAPES for marker in unknown) and not _misspelled(template, unknown):
            return
        added = template.tokenizer.added
        tokens = template.tokenizer.known if added is None else added
        for marker in unknown:
            if marker not in tokens:
                said = _suspected(template, marker, tokens) if added is None else _judged(template, marker, written, added)
                if said is not None:
                    yield Problem(*said, place=written[marker])


def _suspected(template: Template, marker: str, tokens: Iterable[str]) -> tuple[str, str] | None:
    """What is said of a marker where some tokens are known and nothing lists them all."""
    meant = _slip(marker, tokens)
    return _told(template, marker, f"and {quoted(meant)} is one", f"write {quoted(meant)}", sure=True) if meant else None


def _judged(template: Template, marker: str, written: Iterable[str], added: Iterable[str]) -> tuple[str, str] | None:
    """What is said of a marker where all added tokens are known."""
    found, slip = (*added,), _slip(marker, added)
    meant, counterpart, siblings = slip or _meant(marker, found), _counterpart(marker, found), _siblings(marker, written, found)
    if meant is not None:
        return _told(template, marker, f"and {quoted(meant)} is one", f"write {quoted(meant)}", sure=slip is not None)
    if counterpart is not None:
        return _told(template, marker, f"while its counterpart {quoted(counterpart)} is one", REPAIR)
    if siblings:
        return _told(template, marker, f"while others like {quoted(siblings[0])} are one each", REPAIR)
    return None


def _told(template: Template, marker: str, others: str, help: str, *, sure: bool = False) -> tuple[str, str] | None:
    """A message and what to do; None where the marker is one token after all, or where that is unknown and not sure."""
    ids = template.tokenizer.encoded(marker)
    if ids is None:
        return (f"{quoted(marker)} is no token of this model, {others}", help) if sure else None
    return (f"{quoted(marker)} is {len(ids)} tokens in this model, {others}", help) if len(ids) > 1 else None


def _markers(template: Template) -> Iterator[tuple[str, Place]]:
    """Every marker that the source writes out, and where it does so last."""
    for node in template.syntax.find("TemplateData", "Const") if template.syntax else ():
        held = node.data if hasattr(node, "data") else node.value
        for marker in BARE_MARKER.findall(held) if isinstance(held, str) else ():
            start = template.text.find(marker, node.lineno - 1)
            if start >= 0 and _form(marker):
                yield marker, Place(start, start + len(marker))


def _form(marker: str) -> re.Pattern[str] | None:
    return next((form for form in (*SHAPES, TAG, HALF) if form.fullmatch(marker)), None)


def _misspelled(template: Template, markers: Iterable[str]) -> bool:
    known = template.tokenizer.known
    return any(_slip(marker, known) or _meant(marker, known) for marker in markers)


def _slip(marker: str, tokens: Iterable[str]) -> str | None:
    """The token that a marker certainly stands for: only its capitals, bars or dashes differ, or one slip of the hand does."""
    form, folded = _form(marker), _folded(marker)
    if form is TAG:
        return next((token for token in tokens if TAG.fullmatch(token) and _is_swapped(marker, token)), None)
    whole = f"<|{folded.strip('<|>')}|>" if form is HALF else folded
    marked = (token for token in tokens if abs(len(token) - len(whole)) <= 1 and _form(token) in SHAPES)
    return next((token for token in marked if _is_slip(whole, _folded(token))), None)


def _is_slip(written: str, token: str) -> bool:
    return written == token or _is_swapped(written, token) or _lacks_a_letter(written, token) or _lacks_a_letter(token, written)


def _folded(marker: str) -> str:
    """A marker without capitals and the various kinds of bars and dashes."""
    return unicodedata.normalize("NFKC", marker).translate(FOLDED).casefold()


def _is_swapped(left: str, right: str) -> bool:
    unlike = [at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other]
    if len(left) != len(right) or len(unlike) != 2 or unlike[1] - unlike[0] != 1 or len(_name(left)) < SHORTEST - 1:
        return False
    return left[unlike[0]] == right[unlike[1]] and left[unlike[1]] == right[unlike[0]]


def _lacks_a_letter(left: str, right: str) -> bool:
    """Whether a long name is another one without one of its letters; a singular and a number are no slips."""
    if len(left) + 1 != len(right) or len(_name(right)) < LONG or PLURAL.sub("", left) == PLURAL.sub("", right):
        return False
    at = next((at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), len(left))
    return left[at:] == right[at + 1 :] and (right[at].isalpha() or right[at] == "_")


def _counterpart(marker: str, tokens: Container[str]) -> str | None:
    """The token that opens what a marker closes, or closes what it opens."""
    if _form(marker) not in SHAPES:
        return None
    words = re.split(r"([A-Za-z]+)", marker)
    for at, word in enumerate(words):
        other = OPPOSITES.get(word)
        if other is not None and (found := "".join((*words[:at], other, *words[at + 1 :]))) in tokens:
            return found
    return None


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
    alike = [other for other in written if form in SHAPES and _form(other) is form]
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
