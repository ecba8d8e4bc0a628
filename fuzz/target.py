"""One fuzz target in this process: libFuzzer chooses bytes, and what they make of tpllint has to hold.

    python fuzz/target.py NAME [ARGUMENTS OF LIBFUZZER]

Names are those of TARGETS. Given a file instead of folders it runs that one input: so a found input is looked at again. An
input that takes longer than SECONDS ends the process with a traceback; `fuzz/run.py` keeps it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import json
import pkgutil
import resource
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import atheris

with atheris.instrument_imports(include=["tpllint", "tpllint_rules", "jinja2.lexer", "jinja2.parser"]):
    from hypothesis import given

    from tests import strategies
    from tests.in_process import TOKENS, InProcess, answers, crashes, every_rule, harmful, misplaced, report_on
    from tpllint import registry
    from tpllint.analysis import limits
    from tpllint.analysis.template import Template
    from tpllint.conversations import ConversationError, from_json
    from tpllint.errors import RepairableError
    from tpllint.portability import ENGINES
    from tpllint.sources import open_target
    from tpllint.sources.gguf import read_metadata
    from tpllint.storage import resolve
    from tpllint.targets import Request

    package = importlib.import_module(registry.BUILT_IN)
    for module in pkgutil.walk_packages(package.__path__, f"{registry.BUILT_IN}."):
        importlib.import_module(module.name)

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 20
"""For one input. A template is stopped long before; a rule that is not is a defect."""
TEMPLATE_SECONDS = 2.0
MEMORY = 3_000_000_000
BETWEEN = b"\xff\xff"
"""Between the files of one input: no UTF-8 holds it."""
NAMES = (*strategies.CONFIGURATION_NAMES, *strategies.TEMPLATE_NAMES)
EXAMPLES = ROOT / "examples"
SCRATCH = ROOT / "fuzz" / "work" / sys.argv[1] / "scratch"
CURRENT = SCRATCH.parent / "current"
"""Holds the input that is being tried."""


class Target(NamedTuple):
    """What is done with an input, and inputs to begin with."""

    test: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


class Defect(Exception):
    """Something that has to hold does not."""


def syntax(data: bytes) -> None:
    """Rules that execute nothing, and every place of the syntax tree."""
    source = data.decode("utf-8", "replace")
    static = {name: rule for name, rule in every_rule().items() if rule.static}
    require_sound(answers(source, static), source)
    template = Template("default", source, TOKENS)
    if template.syntax is None:
        return
    for node in template.syntax.find("Name", "Const", "Filter", "Test", "Getattr", "Getitem", "Call", "If", "For", "CondExpr"):
        for place in (template.syntax.place(node), template.syntax.expression(node)):
            if not 0 <= place.start < place.end <= len(template.text):
                raise Defect(f"{node} stands at {place} of {len(template.text)}")


def template(data: bytes) -> None:
    """Every rule, and every report about what they find."""
    source = data.decode("utf-8", "replace")
    (SCRATCH / "t.jinja").write_bytes(source.encode())
    require_sound(require_harmless(SCRATCH / "t.jinja"), source)


@strategies.QUICK
@given(strategies.ANY_TEMPLATE)
def _grown(source: str) -> None:
    require_sound(answers(source), source)


def grammar(data: bytes) -> None:
    """Every rule, over a template that bytes choose from the grammar of the tests."""
    _grown.hypothesis.fuzz_one_input(data)  # type: ignore[attr-defined]  # hypothesis sets it on every test


def configuration(data: bytes) -> None:
    """The files of a model, each behind a byte that names it, and the rules that execute nothing."""
    folder = SCRATCH / "model"
    shutil.rmtree(folder, ignore_errors=True)
    for part in data.split(BETWEEN)[:4]:
        path = folder / NAMES[part[0] % len(NAMES) if part else 0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part[1:])
    static = tuple(name for name, rule in every_rule().items() if rule.static)
    require_harmless(folder, static)


def gguf(data: bytes) -> None:
    """The head of a GGUF file."""
    metadata = read_metadata(io.BytesIO(data))
    if not (metadata.complete or metadata.damage):
        raise Defect("it was not read whole, and nothing says so")
    (SCRATCH / "m.gguf").write_bytes(data)
    with contextlib.suppress(RepairableError):
        told = [fact.detail for fact in resolve(open_target(str(SCRATCH / "m.gguf"))).facts]
        if not set(metadata.damage) <= set(told):
            raise Defect(f"it tells {told} of {metadata.damage}")


def conversation(data: bytes) -> None:
    """A user's conversation through a template that reads all of it."""
    try:
        spoken = from_json("any", json.loads(data))
    except (ConversationError, ValueError, RecursionError):
        return
    made = Template("default", READS, TOKENS)
    for render in (made.render_conversation(spoken), made.render_conversation(spoken, keep_none=True), made.continued(spoken)):
        if (render.text is None) == (render.error is None):
            raise Defect(f"{render}")
        made.tracing.written(render)


def require_sound(told: list[dict[str, Any]], source: str) -> None:
    """No rule has raised, and every place is in the source."""
    for problem in (*crashes(told), *misplaced(told, source)):
        raise Defect(f"{problem}")


def require_harmless(path: Path, rules: tuple[str, ...] = ("ALL",)) -> list[dict[str, Any]]:
    """The report of these rules on a target holds no crash and commands nobody; what they answered."""
    pool = InProcess()
    report = report_on(path, pool, Request(offline=True, requires=tuple(ENGINES)), rules)
    for problem in (*report.crashes, *harmful(report)):
        raise Defect(f"{problem}")
    return pool.told


READS = (
    "{% for m in messages %}{{ m.role }}{{ m['content'] | trim }}{% for call in m.tool_calls %}{{ call.function.name }}"
    "{{ call.function.arguments | tojson }}{% endfor %}{% endfor %}{{ tools | tojson }}{{ documents }}{{ enable_thinking }}"
)


def template_seeds() -> Iterator[bytes]:
    """The templates of the examples and of the tests."""
    for path in (*EXAMPLES.rglob("*.jinja"), *(ROOT / "tests" / "data" / "templates").glob("*.jinja")):
        yield path.read_bytes()


def configuration_seeds() -> Iterator[bytes]:
    """The files of the examples, and odd ones."""
    for folder in EXAMPLES.iterdir():
        held = [(index, folder / name) for index, name in enumerate(NAMES) if (folder / name).is_file()]
        yield BETWEEN.join(bytes([index]) + path.read_bytes() for index, path in held)
    for odd in strategies.ODD_BYTES:
        yield b"\0" + odd


def gguf_seeds() -> Iterator[bytes]:
    """Files as llama.cpp's package writes them."""
    from tests.gguf_model import write_gguf

    further: tuple[dict[str, object], ...] = ({}, {"general.tags": ["a", "b"], "x.flag": True}, {"general.type": "mmproj"})
    for number, entries in enumerate(further):
        for big_endian in (False, True):
            path = SCRATCH / f"{number}.gguf"
            yield write_gguf(path, named={"rag": "hi"} if number else None, entries=entries, big_endian=big_endian).read_bytes()


def conversation_seeds() -> Iterator[bytes]:
    """The conversations of the examples and the canonical ones."""
    for folder in (EXAMPLES / "conversations", ROOT / "tpllint" / "conversations"):
        for path in folder.glob("*.json"):
            loaded = json.loads(path.read_bytes())
            yield path.read_bytes()
            yield from (json.dumps(entry).encode() for entry in (loaded.values() if isinstance(loaded, dict) else ()))


def random_seeds() -> Iterator[bytes]:
    """Bytes from which the grammar chooses: any do."""
    for number in range(64):
        yield bytes((number * step * step + step) % 251 for step in range(600))


TARGETS = {
    "syntax": Target(syntax, template_seeds),
    "template": Target(template, template_seeds),
    "grammar": Target(grammar, random_seeds),
    "configuration": Target(configuration, configuration_seeds),
    "gguf": Target(gguf, gguf_seeds),
    "conversation": Target(conversation, conversation_seeds),
}


def write_dictionary(path: Path) -> None:
    """The words that libFuzzer puts together, in its own form: all that the grammar of the tests is made of."""
    productions = (part for made in strategies.GRAMMAR.values() for text in made for part in strategies.SYMBOL.split(text)[::2])
    keys = (f'"{name}"' for name in ("chat_template", "eos_token", "content", "role", "tool_calls", "function", "arguments"))
    words = dict.fromkeys(
        word for word in (*productions, *strategies.INSERTED, *keys) if 0 < len(word.encode("utf-8", "replace")) < 60
    )
    lines = ("".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "replace")) for word in words)
    path.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")


def guarded(test: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The test with its input on disk while it runs, and a traceback instead of a hang."""

    def run(data: bytes) -> None:
        CURRENT.write_bytes(data)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        test(data)
        faulthandler.cancel_dump_traceback_later()

    return run


def main() -> None:
    """Fuzz the target that the command line names."""
    target, arguments = TARGETS[sys.argv[1]], sys.argv[2:]
    SCRATCH.mkdir(parents=True, exist_ok=True)
    for argument in (Path(word) for word in arguments[:1] if not word.startswith("-")):
        if argument.is_dir() and not any(argument.iterdir()):
            for number, seed in enumerate(target.seeds()):
                (argument / f"seed-{number}").write_bytes(seed)
    write_dictionary(SCRATCH / "dictionary")
    warnings.simplefilter("ignore")  # Python warns of some of the code that odd templates become
    limits.SOFT_SECONDS = TEMPLATE_SECONDS
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    every_rule()
    # the timer of libFuzzer is the one that stops a template
    own = [f"-dict={SCRATCH / 'dictionary'}", "-timeout=0", "-rss_limit_mb=0", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *own, *arguments], guarded(target.test))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
