from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tpllint import Bad, Binding, Good, Problem, Read, Related, Rule, Scope, Severity, Template

WHERE = {
    "loop": "in a loop",
    "macro": "in a macro",
    "generation": "inside {% generation %}",
    "call": "in a call block",
    "with": "in a with block",
    "filter": "in a filter block",
    "set": "in a set block",
    "block": "in a block",
}
ENDING = ("set", "set block", "loop variable")
MESSAGES = "messages"
GENERATION_PROMPT = "add_generation_prompt"
COMPARABLE = range(6, 60)
"""How long the names are of which one can be taken for a slip of the pen."""


class UnsetVariableRead(Rule):
    """A name is read where the value that was meant for it never arrives.

    ## What it does
    Follows every name through Jinja's scopes and reports, where it is all but certain,

    - what is set in a loop, a macro or `{% generation %}`, is read by nothing in there, and is read outside, or in the
      loop's next round, where the name still has its old value or none;
    - a name that is only set in scopes which have ended, and that is used without being tested;
    - a name that nothing sets and that is used, within a loop, instead of a field that the template reads elsewhere (`content`
      for `message.content`);
    - a name that nothing sets and that is one letter away from one that is set and never read, or from `messages` or
      `add_generation_prompt`;
    - a loop over messages of a name that nothing sets, in a template that loops over no others.

    Any other name that nothing sets can be a variable that callers pass, and is left alone; so is one that the template tests
    (`{% if x %}`, `is defined`, `default`), unless the test can only be meant for a value that is lost. Values that go through
    a `namespace` arrive.

    ## Why is this bad
    An undefined name prints as empty text, loops over nothing and counts as false: there is no error, and text is missing.

    ## References
    - [Jinja: assignments](https://jinja.palletsprojects.com/en/stable/templates/#assignments)
    """

    code = "TPL910"
    name = "unset-variable-read"
    category = "hygiene"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad(
            "{% set found = false %}"
            "{% for m in messages %}{% if m.role == 'system' %}{% set found = true %}{% endif %}{% endfor %}"
            "{% if not found %}Be brief.\n{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
            says='"found" is set in a loop, and read where that value does not arrive',
            better="{% set ns = namespace(found=false) %}"
            "{% for m in messages %}{% if m.role == 'system' %}{% set ns.found = true %}{% endif %}{% endfor %}"
            "{% if not ns.found %}Be brief.\n{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{% generation %}{% set text = m.content %}{{ text }}{% endgeneration %}"
            "{{ text }}{% endfor %}",
            says='"text" is read where nothing has set it: it is set inside {% generation %}, and gone at its end',
            better="{% for m in messages %}{% set text = m.content %}{% generation %}{{ text }}{% endgeneration %}{{ text }}"
            "{% endfor %}",
        ),
        Bad(
            "{{ messages[0]['content'] }}{% for m in messages[1:] %}{{ '\\n' + m.role + ': ' + content | trim }}{% endfor %}",
            says='"content" is read and nothing sets it',
            better="{{ messages[0]['content'] }}"
            "{% for m in messages[1:] %}{{ '\\n' + m.role + ': ' + m.content | trim }}{% endfor %}",
        ),
        Bad(
            "{% if messages[0].role == 'system' %}{% set system_mesage = messages[0].content %}{% endif %}"
            "{% if system_message %}{{ system_message }}{% endif %}{{ messages[-1].content }}",
            says='"system_message" is read and nothing sets it, while "system_mesage" is set and never read',
            better="{% if messages[0].role == 'system' %}{% set system_message = messages[0].content %}{% endif %}"
            "{% if system_message %}{{ system_message }}{% endif %}{{ messages[-1].content }}",
        ),
        Bad(
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
            "{% if add_generation_promt %}assistant:{% endif %}",
            says='"add_generation_promt" is read and nothing sets it, while callers pass "add_generation_prompt"',
            better="{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}assistant:{% endif %}",
        ),
        Bad(
            "{{ messages[0].content }}{% for m in loop_messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
            says='the loop is over "loop_messages", which nothing sets, and no other loop reads the messages',
            better="{{ messages[0].content }}{% for m in messages[1:] %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
        ),
        Good(
            "{{ greeting }}{{ date | default('today') }}{% if enable_thinking %}think{% endif %}"
            "{% for m in messages %}{% set content = m.content %}{{ content }}{% endfor %}"
            "{% if content is defined %}{{ content }}{% endif %}"
        ),
        Good(
            "{% macro show(instruction) %}{{ instruction }}{% endmacro %}{{ show(instruction) }}"
            "{% for m in few_shot_messages %}{{ m.role + m.content }}{% endfor %}"
            "{% for m in messages %}{{ m.role + m.content }}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None:
            return
        yield from _lost(template)
        told = {binding.name for binding in template.names.lost}
        meant = _unread(template)
        for name in dict.fromkeys(read.name for read in template.names.reads):
            if name not in told and not template.is_passed(name):
                yield from _never_set(template, name, meant)


def _lost(template: Template) -> Iterator[Problem]:
    """Values that end with their scope before a read of the name."""
    told: set[tuple[str, Scope]] = set()
    for binding, read in template.names.lost.items():
        if (binding.name, binding.scope) not in told:
            told.add((binding.name, binding.scope))
            yield _problem(
                template,
                f'"{binding.name}" is set {WHERE[binding.scope.kind]}, and read where that value does not arrive',
                binding.node,
                (read.node, "this read does not see it"),
                help="keep it in a namespace: {% set ns = namespace(x=...) %} outside, {% set ns.x = ... %} inside",
            )


def _never_set(template: Template, name: str, meant: Mapping[str, Binding]) -> Iterator[Problem]:
    """A name whose value can only be the caller's, or nobody's, where it is read."""
    reads = [read for read in template.names.reads_of(name) if not read.bindings]
    if not reads:
        return
    used = not any(read.is_test for read in reads)
    if template.names.bindings_of(name):
        found = _out_of_scope(template, reads[0]) if used else None
    else:
        found = _misspelt(template, reads[0], used, meant)
        if found is None and used:
            found = _field(template, reads) or _loop(template, reads[0])
    if found is not None:
        yield found


def _out_of_scope(template: Template, read: Read) -> Problem | None:
    """The problem that a name is only set in scopes which have ended; a macro's parameter may have the name of a variable."""
    bindings = template.names.bindings_of(read.name)
    around = (read.scope, *read.scope.enclosing())
    if any(binding.kind not in ENDING or binding.scope in around for binding in bindings):
        return None
    return _problem(
        template,
        f'"{read.name}" is read where nothing has set it: it is set {WHERE[bindings[0].scope.kind]}, and gone at its end',
        read.node,
        (bindings[0].node, "it is set here"),
        help="set it in the scope in which it is read, or keep it in a namespace",
    )


def _misspelt(template: Template, read: Read, used: bool, unread: Mapping[str, Binding]) -> Problem | None:
    """The problem that a name is nearly another one, which callers pass or which is set for nothing."""
    for passed in (GENERATION_PROMPT, *((MESSAGES,) if used else ())):
        if _is_slip(read.name, passed):
            said = f'"{read.name}" is read and nothing sets it, while callers pass "{passed}"'
            return _problem(template, said, read.node, help=f'write "{passed}"')
    near = (unread[slip] for slip in _slips(read.name) if slip in unread)
    meant = next((binding for binding in near if _is_slip(read.name, binding.name)), None)
    if meant is None:
        return None
    said = f'"{read.name}" is read and nothing sets it, while "{meant.name}" is set and never read'
    return _problem(template, said, read.node, (meant.node, "it is set here"), help="use one name for both")


def _unread(template: Template) -> dict[str, Binding]:
    """What is set and never read, by its name and by what a slip of the pen makes of it."""
    names = template.names
    never = [binding for binding in names.unread if binding.kind in ENDING and not names.reads_of(binding.name)]
    return {slip: binding for binding in never for slip in _slips(binding.name)}


def _slips(name: str) -> set[str]:
    """The name, and the name without one of its letters."""
    if len(name) not in COMPARABLE:
        return set()
    return {name, *(name[:at] + name[at + 1 :] for at in range(len(name)))}


def _is_slip(name: str, other: str) -> bool:
    """Whether two names differ by a letter left out, added, replaced or moved; names with other numbers are other names."""
    letters, others = (re.sub(r"\d", "", each) for each in (name, other))
    return letters != others and not _slips(name).isdisjoint(_slips(other))


def _field(template: Template, reads: list[Read]) -> Problem | None:
    """The problem that a field of the loop's message is read without the message."""
    looped = (read for read in reads if any(scope.kind == "loop" for scope in (read.scope, *read.scope.enclosing())))
    read = next(looped, None)
    if read is None or all(_field_read(node) != read.name for node in _of_messages(template)):
        return None
    said = f'"{read.name}" is read and nothing sets it'
    return _problem(template, said, read.node, help=f'name what it belongs to, as in "message.{read.name}"')


def _of_messages(template: Template) -> Iterator[Any]:
    """The attributes and items that are read of a loop's variable or of one of the messages."""
    assert template.syntax is not None
    variables = {binding.name for binding in template.names.bindings if binding.kind == "loop variable"}
    for node in template.syntax.find("Getattr", "Getitem"):
        owner = node.node
        of_list = type(owner).__name__ == "Getitem" and getattr(owner.node, "name", None) == MESSAGES
        if of_list or (type(owner).__name__ == "Name" and owner.name in variables):
            yield node


def _field_read(node: Any) -> Any:
    return node.attr if type(node).__name__ == "Getattr" else getattr(node.arg, "value", None)


def _loop(template: Template, read: Read) -> Problem | None:
    """The problem that the template's one loop over messages is over a name that nothing sets."""
    assert template.syntax is not None
    if MESSAGES not in read.name:
        return None
    loops = [node for node in template.syntax.find("For") if node.iter is read.node]
    whole = [other for other in template.names.reads_of(MESSAGES) if not _is_of_one(other)]
    if not loops or whole:
        return None
    target = getattr(loops[0].target, "name", None)
    if not any(_field_read(node) == "role" for node in _of_messages(template) if getattr(node.node, "name", None) == target):
        return None
    said = f'the loop is over "{read.name}", which nothing sets, and no other loop reads the messages'
    return _problem(template, said, read.node, help='loop over "messages", or set the name first')


def _is_of_one(read: Read) -> bool:
    """Whether a read of the messages asks for one of them by number, or for how many there are."""
    around: Any = read.inside[-1] if read.inside else None
    if type(around).__name__ == "Getitem":
        return isinstance(getattr(around.arg, "value", None), int)
    return type(around).__name__ == "Filter" and around.name in ("length", "count")


def _problem(template: Template, message: str, node: Any, related: tuple[Any, str] | None = None, *, help: str) -> Problem:
    assert template.syntax is not None
    place = template.syntax.place
    others = (Related(related[1], place=place(related[0])),) if related else ()
    return Problem(message, help, place=place(node), related=others)
