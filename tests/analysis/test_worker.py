"""The confined worker: it renders what an unconfined process renders, survives what templates do, and can do no harm."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tpllint.analysis.environment import ChatEnvironment
from tpllint.checking import Check, check
from tpllint.job import Job, Variant
from tpllint.pool import Order, Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tpllint.finding import Report

FILTERS = {
    "abs": "{{ -3 | abs }}",
    "attr": "{{ messages[0] | attr('keys') is callable }}",
    "batch": "{{ [1, 2, 3] | batch(2, 'x') | list }}",
    "capitalize": "{{ 'éA' | capitalize }}",
    "center": "{{ 'a' | center(9) }}",
    "count": "{{ messages | count }}",
    "d": "{{ nothing | d('x') }}",
    "default": "{{ '' | default('x', true) }}",
    "dictsort": "{{ messages[0] | dictsort(by='value', reverse=true) }}",
    "e": "{{ '<é>' | e }}",
    "escape": "{{ '<\"&>' | escape }}",
    "filesizeformat": "{{ 123456789 | filesizeformat(true) }}",
    "first": "{{ messages | first }}",
    "float": "{{ '1.5e3' | float }}{{ 'x' | float }}{{ '1e999' | float }}",
    "forceescape": "{{ '<' | safe | forceescape }}",
    "format": "{{ '%s %05.2f %(a)r' | format(1, 2) if false else '%s %05.2f' | format('é', 2) }}",
    "groupby": "{{ messages | groupby('role') | list }}",
    "indent": "{{ 'a\nb\n\nc' | indent('>', true, true) }}",
    "int": "{{ '0x1f' | int(base=16) }}{{ 'x' | int(7) }}{{ '\u0661' | int }}",
    "items": "{{ messages[0] | items | list }}",
    "join": "{{ messages | join(', ', attribute='role') }}",
    "last": "{{ messages | last }}",
    "length": "{{ '😀é' | length }}",
    "list": "{{ 'abc' | list }}",
    "lower": "{{ 'İÉ' | lower }}",
    "map": "{{ messages | map(attribute='role') | map('upper') | list }}",
    "max": "{{ ['b', 'A'] | max(case_sensitive=true) }}",
    "min": "{{ ['b', 'A'] | min }}",
    "pprint": "{{ messages | pprint }}{{ {'a': ['x' * 60, 'y' * 60]} | pprint }}",
    "random": "{{ ['same', 'same'] | random }}",
    "reject": "{{ [0, 1] | reject('odd') | list }}",
    "rejectattr": "{{ messages | rejectattr('role', 'eq', 'user') | list }}",
    "replace": "{{ 'aaa' | replace('a', '<', 2) }}",
    "reverse": "{{ 'abc' | reverse }}{{ [1, 2] | reverse | list }}",
    "round": "{{ 2.675 | round(2, 'floor') }}",
    "safe": "{{ '<' | safe ~ '>' }}",
    "select": "{{ [0, 1] | select | list }}",
    "selectattr": "{{ messages | selectattr('content', 'defined') | list }}",
    "slice": "{{ range(7) | slice(3, 'x') | list }}",
    "sort": "{{ ['b', 'A', 'c'] | sort(reverse=true) }}",
    "string": "{{ 1.0 | string }}",
    "striptags": "{{ '<b>a</b> <!-- c --> &lt;' | striptags }}",
    "sum": "{{ [1, 2.5] | sum(start=1) }}",
    "title": '{{ "it\'s a ǆ-test" | title }}',
    "tojson": "{{ messages | tojson(indent=2) }}",
    "trim": "{{ ' \u00a0a ' | trim }}",
    "truncate": "{{ 'one two three four' | truncate(9, false, '…', 0) }}",
    "unique": "{{ ['a', 'A', 'b'] | unique | list }}",
    "upper": "{{ 'straße' | upper }}",
    "urlencode": "{{ {'é': 'a b', 'c': '/&'} | urlencode }}",
    "urlize": "{{ 'see https://example.com/a?b=1 and me@example.com' | urlize(20, true, target='_blank') }}",
    "wordcount": "{{ 'one two, three' | wordcount }}",
    "wordwrap": "{{ 'one two three-four five' | wordwrap(7) }}",
    "xmlattr": "{{ {'class': 'a', 'id': none, 'b': '<'} | xmlattr }}",
}
TESTS = {
    "!=": "{{ [1, 2] | select('!=', 1) | list }}",
    "<": "{{ [1, 2] | select('<', 2) | list }}",
    "<=": "{{ [1, 2] | select('<=', 2) | list }}",
    "==": "{{ [1, 2] | select('==', 2) | list }}",
    ">": "{{ [1, 2] | select('>', 1) | list }}",
    ">=": "{{ [1, 2] | select('>=', 1) | list }}",
    "boolean": "{{ true is boolean }}",
    "callable": "{{ range is callable }}",
    "defined": "{{ messages is defined }}",
    "divisibleby": "{{ 4 is divisibleby 2 }}",
    "eq": "{{ 1 is eq 1.0 }}",
    "equalto": "{{ 'a' is equalto 'b' }}",
    "escaped": "{{ 'a' | e is escaped }}",
    "even": "{{ 2 is even }}",
    "false": "{{ 0 is false }}",
    "filter": "{{ 'tojson' is filter }}{{ 'dictitems' is filter }}",
    "float": "{{ 1 is float }}",
    "ge": "{{ 1 is ge 2 }}",
    "greaterthan": "{{ 1 is greaterthan 0 }}",
    "gt": "{{ 1 is gt 0 }}",
    "in": "{{ 'user' is in messages[0].values() }}",
    "integer": "{{ true is integer }}",
    "iterable": "{{ 'abc' is iterable }}{{ 1 is iterable }}",
    "le": "{{ 1 is le 1 }}",
    "lessthan": "{{ 1 is lessthan 1 }}",
    "lower": "{{ 'ß' is lower }}",
    "lt": "{{ 'a' is lt 'b' }}",
    "mapping": "{{ messages[0] is mapping }}{{ dict() is mapping }}",
    "ne": "{{ 1 is ne 1 }}",
    "none": "{{ tools is none }}",
    "number": "{{ 1.5 is number }}{{ '1' is number }}",
    "odd": "{{ 3 is odd }}",
    "sameas": "{{ none is sameas none }}",
    "sequence": "{{ messages is sequence }}{{ range(1) is sequence }}",
    "string": "{{ messages[0].role is string }}",
    "test": "{{ 'mapping' is test }}{{ 'nothing' is test }}",
    "true": "{{ 1 is true }}",
    "undefined": "{{ nothing is undefined }}",
    "upper": "{{ 'É' is upper }}",
}
GLOBALS = {
    "cycler": "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}",
    "dict": "{{ dict(a=1) }}{{ dict.fromkeys('ab') }}",
    "joiner": "{% set j = joiner() %}{{ j() }}{{ j() }}",
    "lipsum": "{{ (lipsum(n=2, html=false, min=3, max=4) | wordcount) > 5 }}",
    "namespace": "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}{{ ns }}",
    "raise_exception": "{{ raise_exception is callable }}",
    "range": "{{ range(3) | list }}{{ range(3) }}",
    "strftime_now": "{{ strftime_now('%Y') | length }}{{ strftime_now('%c %x %X %s') | length > 9 }}",
}
IMPORTING = {
    "codecs": "{% for name in ['utf-8', 'ascii', 'latin-1', 'utf-16', 'utf-32', 'utf-7', 'cp1252', 'utf-8-sig',"
    " 'idna', 'punycode', 'utf-16-le', 'utf-16-be', 'raw_unicode_escape', 'unicode_escape'] %}"
    "{{ 'a'.encode(name) }}{% endfor %}",
    "codec errors": "{% for e in ['replace', 'ignore', 'backslashreplace', 'xmlcharrefreplace', 'namereplace'] %}"
    "{{ 'é'.encode('ascii', e) }}{% endfor %}",
    "names": "{{ '\\N{BULLET}\\u2028\\U0001F600' }}",
    "methods": "{{ 'a{0!r:^9}{b:,}{c:n}'.format(1, b=10000, c=1.5) }}{{ 'ǅ'.casefold() }}{{ 'a\tb'.expandtabs() }}"
    "{{ 'x'.translate({120: 'y'}) }}{{ (5).to_bytes(2, 'big') }}{{ (0.1).as_integer_ratio() }}{{ '٣'.isdecimal() }}",
    "numbers": "{{ 2 ** 0.5 }}{{ 10 ** 400 % 7 }}{{ 1e308 * 10 }}{{ 7 // -2 }}{{ (-8) ** (1 / 3) }}",
}
FACILITIES = {**FILTERS, **{f"is {name}": source for name, source in TESTS.items()}, **GLOBALS, **IMPORTING}


def rendered(sources: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What one worker answers about each source: `text` or `error`, for the conversation of one user message."""
    templates = tuple(Variant(name, source) for name, source in sources.items())
    job = Job(templates, {"bos_token": "<s>"}, tokens_known=True, want="renders", selection={"names": ["user"]})
    with Pool(size=1) as pool:
        (answers,) = pool.run([Order("local", job)])
    assert answers.ended is None
    return {message["template"]: message for message in answers.messages}


@pytest.fixture(scope="module")
def facilities() -> dict[str, dict[str, Any]]:
    return rendered(FACILITIES)


def test_every_filter_test_and_global_is_tried() -> None:
    environment = ChatEnvironment()
    assert set(FILTERS) == set(environment.filters)
    assert set(TESTS) == set(environment.tests)
    assert set(GLOBALS) == set(environment.globals)


@pytest.mark.parametrize("name", FACILITIES)
def test_a_confined_worker_renders_what_transformers_renders(facilities: dict[str, dict[str, Any]], name: str) -> None:
    chat_template_utils = pytest.importorskip("transformers.utils.chat_template_utils")
    message = facilities[name]
    texts, _ = chat_template_utils.render_jinja_template(
        [message["inputs"]["messages"]], chat_template=FACILITIES[name], add_generation_prompt=True, bos_token="<s>"
    )
    assert (message["error"], message["text"]) == (None, texts[0])


REFUSED = {
    "a cycle of blocks": "{{ self.a() }}{% block a %}{{ self.a() }}{% endblock %}",
    "a message nested too deep to be shown": "{% set ns = namespace(x=[]) %}"
    "{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ raise_exception(ns.x) }}",
    "a message of ten megabytes": "{{ raise_exception('é' * 10000000) }}",
    "a lone surrogate in the message": "{{ raise_exception('\\ud800') }}",
    "an attribute that cannot be": "{{ {'a b': 1} | xmlattr }}",
    "a required block": "{% block a scoped required %}{% endblock %}",
    "an unknown codec": "{{ 'a'.encode('no-such-codec') }}",
    "an unknown character": "{{ '\\N{no such character}' }}",
}


@pytest.fixture(scope="module")
def refusals() -> dict[str, dict[str, Any]]:
    return rendered(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_rendered_is_answered_with_an_error(refusals: dict[str, dict[str, Any]], name: str) -> None:
    assert refusals[name]["text"] is None
    assert refusals[name]["error"]


KEPT = "{% if false %}{% include 'x' %}{% endif %}"
"""Found before anything is executed; what follows must not lose it."""
SYNTAX, RENDER, LIMIT = "template-syntax-error", "template-render-error", "resource-exhaustion"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

UNPARSED = {
    "five thousand parentheses": (LIMIT, f"{{{{ {'(' * 5000}1{')' * 5000} }}}}"),
    "five thousand lists": (LIMIT, f"{{{{ {'[' * 5000}{']' * 5000} }}}}"),
    "five thousand negations": (LIMIT, f"{{{{ {'not ' * 5000}a }}}}"),
    "three thousand nested ifs": (LIMIT, "{% if a %}" * 3000 + "{% endif %}" * 3000),
    "a million opening braces": (LIMIT, "{{" * 900_000),
    "two megabytes of expressions": (LIMIT, "{{a}}" * 390_000),
    "an integer of ten thousand digits": (SYNTAX, f"{{{{ {'9' * 10_000} }}}}"),
    "half an escape": (SYNTAX, "{{ '\\x' }}"),
    "an unknown named character": (SYNTAX, "{{ '\\N{nothing}' }}"),
    "a NUL in an expression": (SYNTAX, "\0{{ '\0' }}{{ \0 }}"),
    "a million blanks": (SYNTAX, " " * 900_000 + "{%" + " " * 900_000 + "%}"),
}
PARSED = {
    "a sum of five thousand terms": (LIMIT, f"{{{{ {'+'.join(['1'] * 5000)} }}}}"),
    "five thousand attributes": (LIMIT, f"{{{{ a{'.b' * 5000} }}}}"),
    "five thousand filters": (LIMIT, f"{{{{ a{'|trim' * 5000} }}}}"),
    "twenty-five nested loops": (SYNTAX, "{% for a in [1] %}" * 25 + "{% endfor %}" * 25),
    "more than a hundred nested ifs": (SYNTAX, "{% if a %}" * 120 + "{% endif %}" * 120),
    "a break in a generation block": (
        SYNTAX,
        "{% for m in messages %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    ),
    "a name that Jinja loses": (SYNTAX, "{% set a | default(b) %}{% endset %}"),
    "a hexadecimal integer too long to print": (SYNTAX, f"{{{{ 0x{'f' * 100_000} }}}}"),
    "a constant of a gigabyte": (LIMIT, "{{ 'a' * 10**9 }}"),
    "a constant centred in two gigabytes": (LIMIT, "{{ 'a'.center(2 * 10**9) }}"),
    "a format of two gigabytes": (LIMIT, "{{ '%2000000000d' | format(1) }}"),
    "a power that never ends": (LIMIT, "{{ 7 ** (7 ** 9) }}"),
    "loops that never end": (LIMIT, ENDLESS),
    "a lookup that never ends": (LIMIT, f"{{% macro m() %}}{ENDLESS}{{% endmacro %}}{{{{ {{}}[m()] }}}}"),
    "a comparison that no signal interrupts": (
        LIMIT,
        "{% set ns = namespace(a=[1], b=[1]) %}"
        "{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
    ),
    "a text that doubles": (
        LIMIT,
        "{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    ),
    "a prompt without end": (LIMIT, "{% for a in range(9999) %}{{ 'abcdefgh' * 1000 }}{% endfor %}"),
    "a macro that calls itself": (LIMIT, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
    "a list too deep to print": (
        LIMIT,
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    ),
    "a lone surrogate in a name": ("unknown-filter-or-test", "{{ '\\ud800' | no_such_filter }}"),
    "a lone surrogate in a lookup": (RENDER, "{{ nothing['\\ud800'].x }}"),
    "an attribute name that cannot be": (RENDER, "{{ {'a\\ud800 b': 1} | xmlattr }}"),
    "a NUL in a string": ("role-dropped", "\0{{ '\0' }}"),
}
HOSTILE = {**UNPARSED, **{name: (rule, KEPT + source) for name, (rule, source) in PARSED.items()}}
INNOCENT = "{% include 'x' %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    for number, (_, source) in enumerate(HOSTILE.values()):
        (made / f"{number}.jinja").write_text(source, encoding="utf-8", newline="")
        (made / f"{number}-innocent.jinja").write_text(INNOCENT + "\n" * number, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    """One run over all of them, an innocent template behind each."""
    targets = [f"{folder}/{number}{kind}.jinja" for number in range(len(HOSTILE)) for kind in ("", "-innocent")]
    with Pool(size=4) as pool:
        return check(targets, pool, Check())


def found(report: Report, name: str, kind: str = "") -> Iterator[str]:
    suffix = f"/{list(HOSTILE).index(name)}{kind}.jinja"
    return (finding.rule for finding in report.findings if finding.target.endswith(suffix) and finding.severity == "error")


def test_no_hostile_template_crashes_a_rule(report: Report) -> None:
    assert report.crashes == ()
    assert not any(target.error for target in report.targets)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_reported_as_what_it_is(report: Report, name: str) -> None:
    assert HOSTILE[name][0] in found(report, name)


@pytest.mark.parametrize("name", [name for name, (rule, _) in HOSTILE.items() if rule == LIMIT])
def test_a_template_that_exhausts_a_worker_is_not_called_fully_analysed(report: Report, name: str) -> None:
    assert "not-fully-analysed" in found(report, name)
    assert not report.targets[2 * list(HOSTILE).index(name)].fully_analysed


@pytest.mark.parametrize("name", PARSED)
def test_what_was_found_before_a_template_ran_is_kept(report: Report, name: str) -> None:
    assert "loader-statement" in found(report, name)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_target_after_a_hostile_one_gets_its_findings(report: Report, name: str) -> None:
    assert "loader-statement" in found(report, name, "-innocent")


ESCAPES = {
    "write a file": "open({path!r}, 'w')",
    "make a file": "os.open({path!r}, os.O_CREAT | os.O_WRONLY)",
    "read a file": "open('/etc/passwd')",
    "list a folder": "os.scandir('/')",
    "open a socket": "socket.socket()",
    "open a pair of sockets": "socket.socketpair()",
    "resolve a name": "socket.create_connection(('127.0.0.1', 1))",
    "make a pipe": "os.pipe()",
    "copy a descriptor": "os.dup(1)",
    "start a program": "subprocess.Popen(['/bin/true'])",
    "start a program with a shell": "subprocess.run('true', shell=True)",
    "make a file in memory": "os.memfd_create('x')",
    "start a pseudo terminal": "os.openpty()",
    "fork": "os.fork() or os._exit(0)",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {{}})",
}
ATTEMPT = """
import json, os, socket, subprocess, sys
from tpllint.analysis import limits
limits.confine()
said = {}
for name, attempt in json.loads(sys.stdin.read()).items():
    try:
        eval(attempt)
        said[name] = "it succeeds"
    except OSError:
        said[name] = "refused"
    except BaseException as error:
        said[name] = repr(error)
print(json.dumps(said))
"""


def test_a_confined_process_reaches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "written"
    attempts = {name: attempt.format(path=str(path)) for name, attempt in ESCAPES.items()}
    assert json.loads(confined(ATTEMPT, json.dumps(attempts))) == dict.fromkeys(ESCAPES, "refused")
    assert not path.exists()


GREEDY = """
from tpllint.analysis import limits
limits.confine()
try:
    b"x" * (limits.MAX_MEMORY_BYTES + 1)
except MemoryError:
    print("refused")
"""


def test_a_confined_process_has_no_more_memory_than_its_cap() -> None:
    assert confined(GREEDY) == "refused\n"


def confined(program: str, given: str = "") -> str:
    """What a process that confines itself as a worker does writes."""
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True)
    return done.stdout


FOLDED = """
import sys
from tpllint.analysis.compile import compiled
from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.limits import LimitReached
for source in sys.stdin.read().splitlines():
    try:
        print(compiled(ChatEnvironment(), source).render())
    except LimitReached as error:
        print(type(error).__name__)
"""


def test_a_constant_that_no_limit_lets_pass_is_refused_before_it_is_made() -> None:
    """The process is not confined: nothing but the refusal keeps it from taking 20 GB, or hours."""
    refused = ["{% if false %}{{ 7**(7**9) }}{% endif %}", "{{ 'A' * 20000000000 }}", "{{ [[0]] * 2000000000 }}"]
    told = confined(FOLDED, "\n".join(refused)).split()
    assert told == ["TooLong", "OutOfMemory", "OutOfMemory"]


def test_constants_within_the_limits_are_folded_as_jinja_folds_them() -> None:
    folded = ["{{ 2 ** 70000000 % 1000 }}", "{{ ('ab' * 50000000) | length }}", "{{ 3 * -2 }}{{ 'a' * -9 }}", "{{ (-3) ** 3 }}"]
    assert confined(FOLDED, "\n".join(folded)).split() == ["376", "100000000", "-6", "-27"]


LATE = """
from tpllint.analysis.limits import Deadline, TimeIsUp
try:
    with Deadline().running(0.01):
        while True:
            pass
except TimeIsUp:
    print("stopped")
"""


def test_a_process_that_was_never_confined_outlives_its_alarm() -> None:
    assert confined(LATE) == "stopped\n"
