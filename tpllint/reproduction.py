"""Python that makes transformers render what tpllint rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from textwrap import indent
from typing import Any

from tpllint.sources.files import CONFIG, TEMPLATE_FOLDER, ModelFiles
from tpllint.sources.stdin import SHOWN as STDIN
from tpllint.storage import Resolved
from tpllint.storage.reading import Stored

WIDTH = 100
VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
"""What AutoTokenizer needs one of to load a folder."""

CLOCK = """
class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat({!r})


chat_template_utils.datetime = Clock  # the time that strftime_now tells"""


@dataclass(frozen=True)
class Rendered:
    """A template of a model, and the record of a render of it in the form of the JSON contract."""

    model: ModelFiles
    resolved: Resolved
    stored: Stored
    record: Mapping[str, Any]

    @property
    def on_hub(self) -> bool:
        """Whether the model is one on the Hub."""
        return self.model.commit is not None

    @property
    def given(self) -> bool:
        """Whether the template is no file of the model but one that the user put in its place."""
        return self.model.files.get(self.stored.file.name) is not self.stored.file

    @property
    def tells_time(self) -> bool:
        """Whether the prompt may depend on the clock."""
        return "strftime_now" in self.stored.source


def snippet(rendered: Rendered) -> str:
    """A program that prints the prompt. It is ASCII, and whatever a stranger wrote is inside Python literals."""
    try:
        body = "\n".join(_call(rendered))
    except RecursionError:
        return "# the conversation nests too deeply to be written as Python\n"
    return "\n".join([*_imports(rendered, body), body, 'print(prompt, end="")']) + "\n"


def _imports(rendered: Rendered, body: str) -> Iterator[str]:
    standard = {
        "import datetime": rendered.tells_time,
        "import json": "json.loads(" in body,
        "from math import inf, nan": bool(re.search(r"\b(inf|nan)\b", body)),  # JSON has no such numbers, Python's reader does
        "from pathlib import Path": "Path(" in body,
    }
    third_party = {
        "from huggingface_hub import hf_hub_download": "hf_hub_download(" in body,
        "from transformers import AutoTokenizer": "AutoTokenizer." in body,
        "from transformers.utils import chat_template_utils": rendered.tells_time,
        "from transformers.utils.chat_template_utils import render_jinja_template": "render_jinja_template(" in body,
    }
    first = [line for line, needed in standard.items() if needed]
    yield from [*first, ""] if first else []
    yield from (line for line, needed in third_party.items() if needed)
    if rendered.tells_time:
        yield f"\n{CLOCK.format(rendered.record['clock'])}"
    yield ""


def _call(rendered: Rendered) -> Iterator[str]:
    if _has_tokenizer(rendered):
        yield f"tokenizer = AutoTokenizer.from_pretrained({_tokenizer_at(rendered)})"
        yield from _inputs(rendered, rendered.record["inputs"]["messages"], _beyond_tokens(rendered))
        yield "prompt = tokenizer.apply_chat_template("
        yield "    messages,"
        if rendered.given:
            yield f"    chat_template={_template_text(rendered)},"
        elif _is_one_of_several(rendered):
            yield f"    chat_template=tokenizer.chat_template[{rendered.stored.name!a}],"
        yield "    tokenize=False,"
        yield from _arguments(rendered)
        yield ")"
    else:
        yield f"template = {_template_text(rendered)}"
        yield from _inputs(rendered, _without_none(rendered), rendered.record["inputs"]["variables"])
        yield "(prompt,), _ = render_jinja_template("
        yield "    conversations=[messages],"
        yield "    chat_template=template,"
        yield from _arguments(rendered)
        yield ")"


def _has_tokenizer(rendered: Rendered) -> bool:
    """Whether AutoTokenizer loads the target, takes this template from it, and applies it to these messages."""
    model, stored = rendered.model, rendered.stored
    if model.focus or model.from_gguf or not rendered.record["inputs"]["messages"]:
        return False
    if not (rendered.given or stored.file.name == CONFIG or stored.file.name.endswith(".jinja")):
        return False
    return rendered.on_hub or any((Path(model.target) / name).is_file() for name in VOCABULARIES)


def _tokenizer_at(rendered: Rendered) -> str:
    if rendered.on_hub:
        return f"{rendered.model.origin!a}, revision={rendered.model.commit!a}"
    return ascii(rendered.model.target)


def _is_one_of_several(rendered: Rendered) -> bool:
    """Whether transformers keeps this template under its name."""
    beside = any(name.startswith(f"{TEMPLATE_FOLDER}/") for name in rendered.model.files)
    return len(rendered.stored.keys) > 1 or beside


def _template_text(rendered: Rendered) -> str:
    """An expression that is the template's source."""
    file = rendered.stored.file
    if file.shown == STDIN or (rendered.model.from_gguf and not rendered.given):
        return ascii(rendered.stored.source)
    place = ascii(file.shown)
    if rendered.on_hub and not rendered.given:
        model = rendered.model
        path = file.shown.removeprefix(f"{model.origin}@{model.commit}:")  # its name leaves out the folder of the model
        place = f"hf_hub_download({model.origin!a}, {path!a}, revision={model.commit!a})"
    text = f'Path({place}).read_text(encoding="utf-8")'
    if not rendered.stored.keys:
        return text
    return f"json.loads({text})" + "".join(f"[{key!a}]" for key in rendered.stored.keys)


def _inputs(rendered: Rendered, messages: Any, variables: Mapping[str, Any]) -> Iterator[str]:
    inputs = rendered.record["inputs"]
    yield f"messages = {_literal(messages)}"
    yield from (f"{name} = {_literal(inputs[name])}" for name in ("tools", "documents") if inputs[name] is not None)
    yield f"variables = {_literal(dict(variables))}"


def _arguments(rendered: Rendered) -> Iterator[str]:
    record = rendered.record
    yield from (f"    {name}={name}," for name in ("tools", "documents") if record["inputs"][name] is not None)
    yield from (f"    {name}=True," for name in ("add_generation_prompt", "continue_final_message") if record[name])
    yield "    **variables,"


def _beyond_tokens(rendered: Rendered) -> dict[str, Any]:
    """The variables that the tokenizer does not bring with it."""
    tokens = rendered.resolved.tokens
    declared = tokens.values if tokens.known else {}
    variables: Mapping[str, Any] = rendered.record["inputs"]["variables"]
    return {name: value for name, value in variables.items() if name not in declared or declared[name] != value}


def _without_none(rendered: Rendered) -> list[dict[str, Any]]:
    """The messages as apply_chat_template hands them on; what it calls does not drop keys itself."""
    messages = rendered.record["inputs"]["messages"]
    return [{key: value for key, value in message.items() if value is not None} for message in messages]


def _literal(value: Any) -> str:
    """A value as Python, over as many lines as it needs, in ASCII."""
    written = pformat(value, width=WIDTH, sort_dicts=False).encode("ascii", "backslashreplace").decode("ascii")
    if not isinstance(value, list) or "\n" not in written:
        return written
    items = "".join(f"{indent(_literal(item), '    ')},\n" for item in value)
    return f"[\n{items}]"
