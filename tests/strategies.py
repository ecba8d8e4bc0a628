"""Hypothesis strategies for what strangers write: templates, configurations, GGUF files and conversations, whole and broken.

A template grows from GRAMMAR, which knows what chat templates are made of. Numbers are small and loops are short, so that
nothing goes on for ever: what does is for the bounds of the worker (`tests/analysis/test_worker.py`) and for `fuzz/`.
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import DrawFn

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
"""The same examples in every run, and no clock: what fails here fails everywhere."""

GRAMMAR: Mapping[str, Sequence[str]] = {
    "template": (
        "@loop@prompt",
        "@start@loop@prompt",
        "@text@start@start@loop@text@prompt",
        "@start{% set m = messages[-1] %}@statement@loop@statement@prompt",
        "{% set m = messages[0] %}@statement@statement@statement",
        "@text@statement@text",
    ),
    "start": (
        "{{ bos_token }}",
        "{{- bos_token -}}\n",
        "{# @text #}",
        "{% set ns = namespace(found=false, text='') %}\n",
        "{%- if tools %}{{ tools | tojson@indent }}{% endif -%}",
        "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% set messages = messages[1:] %}{% endif %}",
        "{% macro turn(m, end='<|im_end|>') %}@body{{ end }}{% endmacro %}",
        "{% macro turn(m) -%}\n@body@body{%- endmacro %}",
        "{% set system = 'You are helpful.' %}",
        "{% set loop_messages = messages %}",
        "{{ strftime_now('%Y-%m-%d') }}",
        "\ufeff",
    ),
    "loop": (
        "{% for m in @messages %}@body{% endfor %}",
        "{%- for m in @messages -%}\n@body@body\n{%- endfor -%}\n",
        "{% for m in @messages if @condition %}@body{% else %}@text{% endfor %}",
        "{% for m in @messages %}{% if @condition %}@body{% elif @condition %}@body{% else %}@refusal{% endif %}{% endfor %}",
        "{% for m in @messages recursive %}@body{% endfor %}",
        "{% for m in @messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
        "{% for m in @messages %}{{ turn(m) }}{% endfor %}",
    ),
    "messages": (
        *(
            "messages",
            "messages[1:]",
            "messages[:-1]",
            "loop_messages",
            "messages[::-1]",
            "messages | list",
            "messages | reverse",
        ),
        "messages | selectattr('role', 'equalto', @string)",
        "@value",
    ),
    "prompt": (
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}",
        "{% if add_generation_prompt and messages[-1].role != 'assistant' %}@text{% if enable_thinking %}<think>\n{% endif %}"
        "{% endif %}",
        "{% generation %}@text{% endgeneration %}",
        "",
    ),
    "body": (
        "{{ m.content }}",
        "{{ m['content'] | trim }}",
        "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n",
        "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' }}",
        "{% generation %}@body{% endgeneration %}",
        "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}@part{% endfor %}{% endif %}",
        "{% if m.tool_calls %}{% for call in m.tool_calls %}@call{% endfor %}{% endif %}",
        "{% if m.reasoning_content is defined and m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}",
        "{{ m.content.split('</think>')[-1].lstrip('\\n') }}",
        "{% set content = m.content %}{% if @condition %}{% set content = @value %}{% endif %}{{ content }}",
        "{% set ns.text = ns.text ~ m.content %}{{ ns.text }}",
        "{% if loop.last %}@text{% break %}{% endif %}@body",
        "{% if @condition %}{% continue %}{% endif %}@body",
        "{{- @value -}}",
        "@statement",
        "@text",
    ),
    "part": ("{{ part.text }}", "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}", "{{ part }}"),
    "call": (
        "{{ call.function.name }}({{ call.function.arguments | tojson }})",
        "{{ call | tojson@indent }}",
        "{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}",
        "{% for k, v in call.function.arguments | items %}{{ k }}={{ v }}{% endfor %}",
    ),
    "indent": ("", "(indent=2)", "(ensure_ascii=false)", "(sort_keys=true, separators=(',', ':'))", "(@value)"),
    "refusal": (
        "{{ raise_exception('only ' ~ m.role) }}",
        "{{- raise_exception(@value) -}}",
        "{{ raise_exception() }}",
    ),
    "statement": (
        "{{ @value }}",
        "{% if @condition %}@body{% endif %}",
        "{%- if @condition -%}@body{%- elif @condition -%}@body{%- else +%}@body{% endif %}",
        "{% set @name = @value %}{{ @name }}",
        "{% set a, b = @value, @value %}{{ a }}",
        "{% set @name %}@body{% endset %}{{ @name }}",
        "{% set @name | @filter %}@text{% endset %}",
        "{% for a in range(@digit) %}@body{% if loop.index0 == @digit %}{% break %}{% endif %}{% endfor %}",
        "{% for k, v in @value | items %}{{ k }}: {{ v }}{% endfor %}",
        "{% for a in @value %}{{ loop.index }}{{ loop.cycle('a', 'b') }}{{ loop.previtem }}{% endfor %}",
        "{% macro @name(a, b=@value) %}@body{{ caller() if caller else '' }}{% endmacro %}{{ @name(@value) }}",
        "{% call @name(@value) %}@body{% endcall %}",
        "{% call(x) turn(m) %}{{ x }}{% endcall %}",
        "{% filter @filter %}@body{% endfilter %}",
        "{% with a = @value, b = a %}@body{% endwith %}",
        "{% raw %}@text{{ @name }}{% endraw %}",
        "{# @text {{ @name }} #}",
        "{#- tpllint: ignore[@rule] @text -#}\n",
        "{% generation %}@body@statement{% endgeneration %}",
        "{% set ns = namespace(@name=@value) %}{% set ns.@name = @value %}{{ ns.@name }}",
        "{% block @name %}@body{% endblock %}",
        "{% include 'x' %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
        "{% autoescape true %}@body{% endautoescape %}",
        "{% do @value %}",
        "{% @name %}",
    ),
    "condition": (
        "m.role == 'user'",
        "m['role'] == @string",
        "m.content is string",
        "@value is @test",
        "@value is not @test",
        "@value in @value",
        "@value not in @value",
        "not @condition",
        "(@condition) and @condition",
        "@condition or @condition",
        "@value == @value",
        "@digit < @value <= @digit",
        "loop.first and not loop.last",
        "(loop.index0 % 2 == 0) != (m.role == 'user')",
        "tools is defined and tools is not none",
        "add_generation_prompt",
        "enable_thinking is defined and enable_thinking is false",
        "'</think>' in m.content",
        "messages[loop.index0 - 1].role == 'tool'",
        "m.content.startswith(@string)",
    ),
    "value": (
        "m.content",
        "m.role",
        "messages[0]['content']",
        "messages[-1].role",
        "@string",
        "@digit",
        "@name",
        "none",
        "true",
        "[@value, @value]",
        "(@value, @value)",
        "{@string: @value}",
        "{'user': @value, 'assistant': @value}[m.role]",
        "(@value | @filter)",
        "@value.@attribute",
        "@value[@digit]",
        "@value[@digit:]",
        "@value[:-@digit]",
        "@value[@value]",
        "@value ~ @value",
        "@value + @value",
        "@string * @digit",
        "-@digit",
        "@digit // @digit",
        "@digit % @digit",
        "@string % @value",
        "(@value if @condition else @value)",
        "@value if @condition",
        "@value.@method",
        "@name(@value)",
        "loop.index0",
        "loop.nextitem.role",
        "messages | @filter | @filter",
        "dict(a=@value)",
        "range(@digit) | list",
        "ns.text",
        "namespace(a=@value).a",
        "strftime_now(@string)",
        "cycler(@value, @value).next()",
        "joiner(@string)()",
        "self._TemplateReference__context",
        "''.__class__.__mro__[1].__subclasses__()",
        "messages | attr('__class__')",
        "'{0.__class__}'.format(messages)",
        "lipsum.__globals__['os'].popen('id').read()",
        "messages.append(@value)",
        "caller()",
        "super()",
    ),
    "filter": (
        "trim",
        "length",
        "tojson",
        "tojson@indent",
        "upper",
        "lower",
        "string",
        "list",
        "first",
        "last",
        "join(@string)",
        "default(@value)",
        "default(@value, true)",
        "replace(@string, @string)",
        "map(attribute='role')",
        "map('upper')",
        "selectattr('role', 'equalto', @string)",
        "selectattr('role', 'equalto', @string) | list",
        "rejectattr('content')",
        "select(@string)",
        "groupby('role')",
        "sort",
        "unique",
        "reverse",
        "items",
        "dictsort",
        "int",
        "float",
        "indent(@digit)",
        "escape",
        "safe",
        "striptags",
        "truncate(@digit)",
        "batch(@digit)",
        "slice(@digit)",
        "sum",
        "round",
        "capitalize",
        "title",
        "wordcount",
        "center(@digit)",
        "format(@value)",
        "random",
        "xmlattr",
        "urlize",
        "filesizeformat",
        "pprint",
        "attr(@string)",
        "fromjson",
        "@name",
    ),
    "test": (
        *("defined", "undefined", "none", "string", "mapping", "sequence", "iterable", "number", "boolean", "true", "false"),
        *("even", "odd", "divisibleby(@digit)", "in(@value)", "eq(@value)", "sameas(none)", "callable", "filter", "@name"),
    ),
    "method": (
        "strip()",
        "lstrip('\\n')",
        "split(@string)",
        "split(@string)[-1]",
        "split(@string, 1)[@digit]",
        "rstrip()",
        "startswith(@string)",
        "endswith(@string)",
        "replace(@string, @string)",
        "get(@string)",
        "get(@string, @value)",
        "items()",
        "keys()",
        "values()",
        "upper()",
        "title()",
        "format(@value)",
        "join(@value)",
        "pop()",
        "update(a=@value)",
        "encode()",
        "find(@string)",
        "isdigit()",
        "splitlines()",
    ),
    "attribute": (
        *("content", "role", "tool_calls", "reasoning_content", "name", "text", "type", "function", "arguments"),
        *("__class__", "_x", "items", "0"),
    ),
    "name": (
        *("content", "tools", "documents", "m", "ns", "turn", "system", "loop", "x", "date_string", "enable_thinking"),
        *("bos_token", "eos_token", "pad_token", "add_generation_prompt", "messages", "message", "loop_messages", "nothing"),
        *("custom_tools", "range", "namespace", "caller", "self", "kwargs", "varargs", "e\u0301", "\u540d\u524d"),
    ),
    "rule": ("ALL", "role-dropped", "TPL1", "no-such-rule", "role-dropped, TPL", "", "\u202e"),
    "digit": ("0", "1", "2", "3", "5", "1.5"),
    "string": (
        *("'user'", "'assistant'", "'system'", "'tool'", "'content'", "''", "' '", "'\\n'", "'</think>'", "'<think>'"),
        *("'<|im_start|>'", "'<|im_end|>\\n'", '"role"', "'%s'", "'%d'", "'{}'", "'{{ x }}'", "'%}'", "'a' 'b'"),
        *("'\\x1b[2K'", "'\\u202e'", "'\\ud800'", "'\\N{BULLET}'", "'\\\\'", "'::error::x'", "'\u2028'", "'\0'", "'<s>'"),
    ),
    "text": (
        *("<|im_start|>", "<|im_end|>\n", "\n", " ", "", "\n\n  ", "<s>", "[INST] ", " [/INST]", "You are helpful.", "<think>"),
        *("\t", "\r\n", "\r", "\v", "\x85", "\u2028", "\xa0", "\ufeff", "\u200b", "\u202eabc\u202c", "e\u0301", "\U0001f600"),
        *("\U000e0041", "\x1b[31mred", "\x07", "\0", "::error::forged\n", "##[error]", "%0A::warning::", "\ud83d\ude00"),
        *(
            "{",
            "}",
            "%}",
            "}}",
            "#}",
            "-",
            "{{ '{{' }}",
            "\u4f60\u597d",
            "\u0645\u0631\u062d\u0628\u0627",
            "e\u2060",
            "|",
            "```",
        ),
        *("<\uff5cUser\uff5c>", "@everyone", "https://example.com/a?b=c", "# no comment", "{ %"),
    ),
}
"""What a symbol can become, the symbols in it after an `@`; the first few of each are the plainest."""
PLAIN = 2
"""So many productions of a symbol stay in use where a template has become large enough."""
SYMBOL = re.compile(r"@([a-z]+)")
MAX_SYMBOLS = 40

WORDS = re.compile(r"\{[{%#][-+]?|[-+]?[}%#]\}|\w+|'[^']*'|\s+|.", re.DOTALL)
"""The pieces in which a template is broken: tags, words, literals, blanks, single characters."""
INSERTED = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "{%-", "-%}", "{%+", "-}}", "{{-", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":"),
    *("'", '"', "\\", "~", "+", "-", "==", "=", "if", "else", "elif", "endif", "for", "endfor", "in", "is", "not", "and", "or"),
    *("set", "endset", "macro", "endmacro", "generation", "endgeneration", "break", "raw", "{% raw %}", "{% endraw %}", "\n"),
    *(
        " ",
        "\r",
        "\0",
        "\u2028",
        "\ufeff",
        "\ud800",
        "\U000e0001",
        "1",
        "none",
        "messages",
        "m",
        "@",
        "$",
        "!",
        ";",
        "`",
        "\x1b",
    ),
)


@st.composite
def grown(draw: DrawFn, symbol: str = "template") -> str:
    """What a symbol of GRAMMAR can become."""
    spent = 0

    def of(found: re.Match[str]) -> str:
        nonlocal spent
        if found[1] not in GRAMMAR:
            return found[0]
        spent += 1
        productions = GRAMMAR[found[1]]
        chosen = draw(st.sampled_from(productions if spent < MAX_SYMBOLS else productions[:PLAIN]))
        return SYMBOL.sub(of, chosen) if spent < 4 * MAX_SYMBOLS else SYMBOL.sub("x", chosen)

    return SYMBOL.sub(of, f"@{symbol}")


@st.composite
def broken(draw: DrawFn, sources: st.SearchStrategy[str]) -> str:
    """The same with some of its pieces taken out, doubled, moved, replaced or put in between."""
    pieces = WORDS.findall(draw(sources))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(pieces)))
        piece = draw(st.sampled_from(INSERTED))
        pieces[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([[], [piece], pieces[at : at + 1] * 2, [piece, piece]])
        )
    return "".join(pieces)


def storable(text: str) -> str:
    """The text without the lone surrogates that no file of UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


TEMPLATES = grown().map(storable)
"""Programs that mostly compile."""
ANY_TEMPLATE = st.one_of(TEMPLATES, TEMPLATES, broken(TEMPLATES), st.text(max_size=40)).map(storable)
"""Programs, programs that somebody broke, and texts; all that a file of UTF-8 can hold."""

TEXTS = st.sampled_from([storable(text) for text in GRAMMAR["text"]]) | st.text(max_size=8)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TEXTS, st.sampled_from(["user", "<s>", "\ud800"])
)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
"""What Python's json can read, lone surrogates and NaN too."""

ROLES = st.sampled_from(["user", "assistant", "system", "tool", "developer", "", "User"]) | ANY_JSON
PARTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "image"]) | ANY_JSON}, optional={"text": TEXTS, "image": TEXTS, "x": ANY_JSON}
    ),
    max_size=3,
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.just("function"),
            "id": TEXTS,
            "function": st.fixed_dictionaries({"name": TEXTS}, optional={"arguments": ANY_JSON}) | ANY_JSON,
        },
    ),
    max_size=2,
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": ROLES,
        "content": TEXTS | PARTS | ANY_JSON,
        "tool_calls": CALLS | ANY_JSON,
        "reasoning_content": TEXTS | ANY_JSON,
        "thinking": ANY_JSON,
        "name": ANY_JSON,
    },
)
CHATS = st.lists(MESSAGES, max_size=4)
CONVERSATIONS = st.one_of(
    CHATS,
    st.fixed_dictionaries(
        {"messages": CHATS},
        optional={
            "tools": st.lists(ANY_JSON, max_size=2) | ANY_JSON,
            "documents": st.lists(ANY_JSON, max_size=2) | ANY_JSON,
            "add_generation_prompt": st.booleans() | ANY_JSON,
            "enable_thinking": ANY_JSON,
            "bos_token": ANY_JSON,
        },
    ),
    ANY_JSON,
)
"""Conversation files as they should be, and anything else."""


def either(wanted: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what belongs there."""
    return st.one_of(wanted, wanted, ANY_JSON)


TOKENS = st.sampled_from(["<s>", "</s>", "<|im_end|>", "", " ", "\u202e<s>"]) | st.fixed_dictionaries({"content": TEXTS})
NAMED = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["default", "tool_use", "rag", "../x", "a\nb"]) | TEXTS, "template": ANY_TEMPLATE}
    ),
    max_size=3,
)
IDS = either(st.integers(-1, 9) | st.lists(st.integers(0, 9), max_size=3))
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "chat_template": either(ANY_TEMPLATE | NAMED),
        "bos_token": either(TOKENS),
        "eos_token": either(TOKENS),
        "pad_token": either(TOKENS),
        "add_bos_token": either(st.booleans()),
        "tokenizer_class": either(st.sampled_from(["PreTrainedTokenizerFast", "LlamaTokenizer", "Qwen2Tokenizer"])),
        "processor_class": either(st.just("LlavaProcessor")),
        "extra_special_tokens": either(st.lists(TOKENS, max_size=2) | st.dictionaries(TEXTS, TOKENS, max_size=2)),
        "additional_special_tokens": either(st.lists(TOKENS, max_size=2)),
        "added_tokens_decoder": either(
            st.dictionaries(st.sampled_from(["0", "1", "x", "-1", "1e9"]), either(TOKENS), max_size=3)
        ),
        "response_template": ANY_JSON,
        "auto_map": ANY_JSON,
        "eos_token_id": IDS,
        "stop_strings": ANY_JSON,
        "text_config": either(st.fixed_dictionaries({"eos_token_id": IDS})),
        "vision_config": ANY_JSON,
        "base_model_name_or_path": either(st.just("org/base")),
        "model_type": either(st.sampled_from(["llama", "mistral", "qwen2"])),
    },
)


def _dumped(data: Any, *, ascii_only: bool, indent: int | None) -> bytes:
    return json.dumps(data, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")


JSON_BYTES = st.builds(_dumped, either(SETTINGS), ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
ODD_BYTES = (
    *(b"", b" ", b"\n", b"null", b"[]", b"{}", b'""', b"{", b'{"chat_template": "', b'{"a": 1, "a": 2}', b"\xff\xfe{}", b"NaN"),
    *(b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"\xef\xbb\xbf{}", b'{"chat_template": "a", "chat_template": "b"}', b"\0"),
    *(b'{"chat_template": "\\ud800"}', b'{"chat_template": "{{ \\u0000 }}"}', b'{"chat_template": "a\nb"}', b"1e999", b"{}x"),
    *("{}".encode("utf-16"), b'{"eos_token": {"content": {"content": []}}}', b"version https://git-lfs.github.com/spec/v1\n"),
)


@st.composite
def damaged(draw: DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """The same bytes with some replaced, put in or doubled, and perhaps the end cut off."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        stop = at + draw(st.integers(0, 9))
        data[at:stop] = draw(st.one_of(st.binary(max_size=4), st.just(bytes(data[at:stop]) * 2)))
    return bytes(data if draw(st.booleans()) else data[: draw(st.integers(0, len(data)))])


CONFIGURATION_BYTES = st.one_of(JSON_BYTES, JSON_BYTES, damaged(JSON_BYTES), st.sampled_from(ODD_BYTES), st.binary(max_size=30))
"""The contents of any JSON file of a model."""
TEMPLATE_BYTES = st.one_of(ANY_TEMPLATE.map(str.encode), damaged(TEMPLATES.map(str.encode)))
CONFIGURATION_NAMES = (
    *("tokenizer_config.json", "chat_template.json", "processor_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("generation_config.json", "config.json", "adapter_config.json", "tokenizer.json", "preprocessor_config.json"),
)
TEMPLATE_NAMES = (
    "chat_template.jinja",
    "additional_chat_templates/tool_use.jinja",
    "additional_chat_templates/\u202ex y.jinja",
)
FOLDERS = st.builds(
    lambda one, more, templates: {**more, **templates, "tokenizer_config.json": one},
    CONFIGURATION_BYTES,
    st.dictionaries(st.sampled_from(CONFIGURATION_NAMES), CONFIGURATION_BYTES, max_size=3),
    st.dictionaries(st.sampled_from(TEMPLATE_NAMES), TEMPLATE_BYTES, max_size=2),
)
"""The files of a model by name."""

TOML_KEYS = (
    *(
        "select",
        "ignore",
        "severity",
        "profile",
        "fail-on",
        "per-path-ignores",
        "conversations",
        "rules",
        "expect",
        "variables",
    ),
    *("requires", "unknown", "'\u202e'", '""', "a.b"),
)
TOML_VALUES = (
    *('"ALL"', '["ALL"]', '["role-dropped"]', '["no-such-rule"]', '"agent"', '"\\u202e"', "1", "true", "[]", "{}", "[[]]", '"'),
    *(
        '{ role-dropped = "info" }',
        '{ "*" = ["ALL"] }',
        '{ "**/x" = 1 }',
        '["/nowhere"]',
        '["\\u0000"]',
        '["tools"]',
        '"error"',
    ),
    *('["minijinja"]', "{ enable_thinking = true }", "{ messages = [] }", "1979-05-27", "nan", "[" * 300),
)
TOML_BYTES = st.lists(st.tuples(st.sampled_from(TOML_KEYS), st.sampled_from(TOML_VALUES)), max_size=3).map(
    lambda pairs: "".join(f"{key} = {value}\n" for key, value in pairs).encode()
)
CONFIG_BYTES = st.one_of(TOML_BYTES, TOML_BYTES, damaged(TOML_BYTES), st.binary(max_size=20))
"""The contents of a tpllint.toml."""

ROWS = CONVERSATIONS | st.fixed_dictionaries({"prompt": TEXTS, "completion": ANY_JSON})
ROWS_BYTES = st.lists(ROWS, max_size=4).map(
    lambda rows: b"\n".join(_dumped(row, ascii_only=False, indent=None) for row in rows)
)
ANY_ROWS_BYTES = st.one_of(ROWS_BYTES, ROWS_BYTES, damaged(ROWS_BYTES))
"""The contents of a file of JSON lines."""

TEXT, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
KEYS = st.sampled_from(
    [
        *(b"tokenizer.chat_template", b"tokenizer.chat_template.tool_use", b"tokenizer.chat_template.default"),
        *(b"tokenizer.chat_template.../x", b"tokenizer.chat_templates", b"tokenizer.ggml.tokens", b"tokenizer.ggml.token_type"),
        *(b"tokenizer.ggml.bos_token_id", b"tokenizer.ggml.eos_token_id", b"tokenizer.ggml.add_bos_token", b"split.no"),
        *(b"general.type", b"general.architecture", b"general.base_model.0.repo_url", b"tokenizer.ggml.model", b"x\0y", b""),
    ]
) | st.binary(max_size=12)
SIZES = st.sampled_from([0, 1, 2**16, 2**26, 2**31, 2**62, 2**64 - 1])


@st.composite
def _text_of(draw: DrawFn, order: str) -> bytes:
    value = draw(TEMPLATE_BYTES | st.binary(max_size=9))
    size = draw(st.one_of(st.just(len(value)), st.just(len(value)), st.just(len(value)), SIZES))
    return struct.pack(f"{order}Q", size) + value


@st.composite
def _array_of(draw: DrawFn, order: str, depth: int = 0) -> bytes:
    kind = draw(st.sampled_from([TEXT, 5, 4, ARRAY, 0, 99]))
    count = draw(st.integers(0, 4))
    if kind == ARRAY and depth < 6:
        items = [draw(_array_of(order, depth + 1)) for _ in range(count)]
    elif kind == TEXT:
        items = [draw(_text_of(order)) for _ in range(count)]
    else:
        items = [draw(st.binary(min_size=4, max_size=4)) for _ in range(count)]
    told = draw(st.one_of(st.just(count), st.just(count), SIZES))
    return struct.pack(f"{order}IQ", kind, told) + b"".join(items)


@st.composite
def _entry(draw: DrawFn, order: str) -> bytes:
    key = draw(KEYS)
    kind = draw(st.sampled_from([TEXT, TEXT, ARRAY, 4, 7, 99, *NUMBERS]))
    if kind == TEXT:
        value = draw(_text_of(order))
    elif kind == ARRAY:
        value = draw(_array_of(order))
    else:
        size = struct.calcsize(NUMBERS.get(kind, "I"))
        value = draw(st.binary(min_size=size, max_size=size))
    return struct.pack(f"{order}Q", len(key)) + key + struct.pack(f"{order}I", kind) + value


@st.composite
def _gguf(draw: DrawFn) -> bytes:
    order = draw(st.sampled_from("<<<>"))
    entries = [draw(_entry(order)) for _ in range(draw(st.integers(0, 5)))]
    count = draw(st.one_of(st.just(len(entries)), st.just(len(entries)), SIZES))
    version = draw(st.sampled_from([3, 3, 3, 2, 1, 4]))
    return b"GGUF" + struct.pack(f"{order}IQQ", version, 0, count) + b"".join(entries)


GGUF_BYTES = st.one_of(_gguf(), _gguf(), damaged(_gguf()), st.binary(max_size=40))
"""Heads of GGUF files in which lengths, kinds and counts may lie."""
