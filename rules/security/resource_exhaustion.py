from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, amplifications, canonical

RENDERING = "rendering "
ALWAYS_RENDERED = ("user", "user-assistant-user", "tool-loop")
HELP = "bound the loops, repetitions and recursion by what a conversation holds"


class ResourceExhaustion(Rule):
    """Rendering a chat takes more time, memory or text than any chat needs.

    ## What it does
    Before anything is executed, reads what the template would cost: loops over constant ranges inside each other, numbers,
    texts and lists of constant size, widths of formats, values that every turn of a loop doubles, chains of replacements that
    feed each other, three loops over the text of a message inside each other, loops that write the conversation many times,
    macros and loops that call themselves and come no nearer to an end. What stands behind a condition counts like the rest.

    Templates run in a process with bounds: seven seconds for all renders and ten in all, three where the source tells already
    that they are not enough, 1 GB of memory, four million characters of prompt, Python's own recursion limit. This rule also
    speaks when one of them is reached while parsing, compiling or rendering.

    Then it renders chats of 1, 2, 4 rounds and messages of as many words, and speaks where the prompt grows faster than
    they do. Text is counted, never time. Loops over messages inside loops over messages are fine as long as they write no more.

    ## Why is this bad
    A chat template runs at every request. One that loops over nested ranges, repeats text or calls itself stops the server
    of whoever loads it; one that repeats the history makes every turn dearer than the last.

    ## References
    - [Jinja: sandbox security considerations](https://jinja.palletsprojects.com/en/stable/sandbox/#security-considerations)
    - [CVE-2025-62426: arguments of a chat template stall a server](https://nvd.nist.gov/vuln/detail/CVE-2025-62426)
    """

    code = "TPL808"
    name = "resource-exhaustion"
    category = "security"
    severity = Severity.ERROR
    judges_failures = True
    examples = (
        Bad(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{{ messages[0].content }}",
            says='a loop over "range(99999)" runs 9,999,800,001 times in all, with the loops around it',
            better="{{ messages[0].content }}",
        ),
        Bad(
            "{% macro row() %}{% for i in range(5000) %}-{% endfor %}{% endmacro %}"
            "{% if 'report' in messages[-1].content %}{% for i in range(5000) %}{{ row() }}{% endfor %}{% endif %}"
            "{{ messages[0].content }}",
            says='a loop over "range(5000)" runs 25,000,000 times in all, with the loops around it',
        ),
        Bad(
            "{% if false %}{% set x = 7**(7**9) %}{% endif %}{{ messages[0].content }}",
            says='"7**(7**9)" computes a number of 34,102,754 digits',
        ),
        Bad(
            "{{ (10 ** (5000 * messages | length)) | string | length }}{{ messages[0].content }}",
            says='"10 ** (5000 * messages | length)" computes a number of 5,000 digits',
        ),
        Bad(
            "{% if false %}{{ 'A' * 2000000000 }}{% endif %}{{ messages[0].content }}",
            says="\"'A' * 2000000000\" makes a text or list of 2,000,000,000 characters or items",
            better="{% if false %}{{ 'A' * 20 }}{% endif %}{{ messages[0].content }}",
        ),
        Bad(
            "{% set wide = 9000 * 1000000 %}{{ ([0] * messages | length * wide) | length }}{{ messages[0].content }}",
            says='"[0] * messages | length * wide" makes a text or list of 9,000,000,000 characters or items',
        ),
        Bad(
            "{{ '%9000000000d' | format(messages | length) }}{{ messages[0].content }}",
            says="\"'%9000000000d' | format(messages | length)\" makes a text or list of 9,000,000,000 characters or items",
        ),
        Bad(
            "{{ '{:>9000000000}'.format(messages | length) }}{{ messages[0].content }}",
            says="\"'{:>9000000000}'.format(messages | length)\" makes a text or list of 9,000,000,000 characters or items",
        ),
        Bad(
            "{{ 'x' | center(2000000000) }}{{ messages[0].content }}",
            says="\"'x' | center(2000000000)\" makes a text or list of 2,000,000,000 characters or items",
        ),
        Bad(
            "{{ messages[0].content | indent(10**8) }}",
            says='"messages[0].content | indent(10**8)" makes a text or list of 100,000,000 characters or items',
            better="{{ messages[0].content | indent(8) }}",
        ),
        Bad(
            "{{ lipsum(n=9000000) | length }}{{ messages[0].content }}",
            says='"lipsum(n=9000000)" makes a text or list of 5,400,000,000 characters or items',
        ),
        Bad(
            "{% set s = 'aaaaaaaaaaaaaaaaaaaa' %}"
            "{{ s | replace('a', s) | replace('a', s) | replace('a', s) | replace('a', s) | replace('a', s) | length }}"
            "{{ messages[0].content }}",
            says="\"s | replace('a', s) | replace('a', s) | replace('a', s) | replace('a', s) | replace('a', s)\" "
            "makes a text or list of 3,200,000 characters or items",
        ),
        Bad(
            "{% set ns = namespace(s='x') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"
            "{{ messages[0].content }}",
            says='"ns.s ~ ns.s" makes a value 2 times as long in each of 40 turns of a loop',
            better="{% set ns = namespace(s='x') %}{% for i in range(40) %}{% set ns.s = ns.s ~ 'x' %}{% endfor %}"
            "{{ messages[0].content }}",
        ),
        Bad(
            "{% for m in messages %}{{ m.content }}{% for a in m.content %}{% for b in m.content %}{% for c in m.content %}"
            "{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
            says='a loop over the text "m.content" stands in 2 others over such texts',
        ),
        Bad(
            "{% for i in range(400) %}{% for m in messages %}{{ m.content }}{% endfor %}{% endfor %}",
            says='a loop over "range(400)" writes each message 400 times',
        ),
        Bad(
            "{% macro deeper(n) %}{{ deeper(n + 1) }}{% endmacro %}{{ deeper(0) }}",
            says='"deeper(n + 1)" brings its macro back to itself without end',
            better="{% macro turn(m) %}{{ m.content }}{% endmacro %}{{ turn(messages[0]) }}",
        ),
        Bad(
            "{% macro of(m) %}{% if m.content %}{{ of(m) }}{% endif %}{% endmacro %}{{ messages[0].content }}",
            says='"of(m)" brings its macro back to itself without end',
        ),
        Bad(
            "{% for m in messages recursive %}{{ loop([m]) }}{% endfor %}",
            says='"loop([m])" begins the same loop again without end',
            better="{% for m in messages recursive %}{{ m.content }}{{ loop(m.replies or []) }}{% endfor %}",
        ),
        Bad(
            "{% for i in range(200000) %}{{ i }}{% endfor %}",
            says="rendering user reaches a limit: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
        ),
        Bad(
            "{% for m in messages %}{% for earlier in messages[:loop.index] %}{{ earlier.content }}{% endfor %}{% endfor %}",
            says="prompts of 1, 2, 4 and 8 rounds have 80, 196, 582, 1966 characters: they grow faster than what is said",
            better="{% for m in messages %}{{ m.content }}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{% for word in m.content.split() %}{{ m.content }}{% endfor %}{% endfor %}",
            says="prompts of 1, 2, 4 and 8 words have 14, 58, 236, 952 characters: they grow faster than what is said",
        ),
        Bad(
            "{% for m in messages %}{{ m.content * 400 }}{% endfor %}",
            says="a prompt holds each message 400 times",
        ),
        Good("{% for i in range(100) %}{% endfor %}{{ messages[0].content }}"),
        Good(
            "{% for m in messages %}{% set ns = namespace(later=0) %}"
            "{% for other in messages %}{% if other.role == 'user' %}{% set ns.later = ns.later + 1 %}{% endif %}{% endfor %}"
            "{{ m.content }}{% endfor %}"
        ),
        Good(
            "{% macro type(p) %}{% if p.type == 'array' %}list[{{ type(p['items']) }}]{% else %}{{ p.type }}{% endif %}"
            "{% endmacro %}"
            "{% for t in tools or [] %}{% for k, p in t.function.parameters.properties.items() %}{{ k }}: {{ type(p) }}\n"
            "{% endfor %}{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}"
        ),
        Good(
            "{% macro nested(p, depth=0) %}{% if depth < 3 %}{{ p }}{{ nested(p, depth + 1) }}{% endif %}{% endmacro %}"
            "{{ nested('-' * 3) }}"
            "{{ messages[0].content | replace('&', '&amp;') | replace('<', '&lt;') | replace('>', '&gt;') }}"
        ),
        Good(
            "{% for m in messages %}{% for part in m.content if m.content is not string %}{{ part.text }}{% endfor %}"
            "{% if m.content is string %}{{ m.content | indent(4) }}{{ '%5d' | format(10 ** 3) }}{% endif %}{% endfor %}"
        ),
    )

    def check_source(self, template: Template) -> Iterator[Problem]:
        for cost in template.costs:
            yield Problem(cost.says, help=HELP, place=cost.place)

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.costs:
            return  # said already; what else it does need not be waited for
        if template.failure is None:
            for name in ALWAYS_RENDERED:
                template.render(name)
            if not template.exhausted:
                yield from _amplified(template)
        first = [f"{RENDERING}{name}" for name in ALWAYS_RENDERED if f"{RENDERING}{name}" in template.exhausted]
        for step in [*first, *template.exhausted][:1]:
            yield Problem(f"{step} reaches a limit: {template.exhausted[step]}", help=HELP, render=_ended(template, step))


def _amplified(template: Template) -> Iterator[Problem]:
    for found in amplifications(template):
        yield Problem(found.says, help="write each message once, and nothing for every pair of them", render=found.render)


def _ended(template: Template, step: str) -> Render | None:
    """The canonical render that a limit ended; None where the step was another one."""
    name = step.removeprefix(RENDERING)
    if name == step or name not in canonical():
        return None
    renders = (template.render(name, generation_prompt=flag) for flag in (False, True))
    return next((render for render in renders if render.error is not None), None)
