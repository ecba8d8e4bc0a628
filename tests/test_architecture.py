"""The house plan's invariants, read from the imports."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tpllint import pool
from tpllint.analysis import main as worker
from tpllint.conversations import canonical
from tpllint.conversations import words as canonical_words
from tpllint.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    ("replies",),
    (
        "errors",
        "severity",
        "span",
        "quoting",
        "wire",
        "answer_form",
        "job",
        "spawn",
        "conversations",
        "markers",
        "tokens",
        "tokenizer_head",
        "signatures",
        "small_tokenizer",
        "report.escape",
    ),
    ("names", "rule", "snippet", "sources", "vocabulary", "confined", "text_edit"),
    (
        "capabilities",
        "portability",
        "finding",
        "registry",
        "selection",
        "storage",
        "pool",
        "tokenizing",
        "responses",
        "lock",
        "generation",
    ),
    (
        "targets",
        "questions",
        "analysis",
        "config",
        "suppression",
        "reproduction",
        "difference",
        "remembered",
        "repairs",
        "baseline",
    ),
    ("checking", "data", "describing", "locking", "rendering", "writing"),
    ("asking", "showing"),
    ("diffing", "generating"),
    ("fixing", "chatting"),
    ("reviewing",),
    ("api", "report", "testing", "webhook"),
    ("serving",),
    ("cli",),
    ("__main__",),
)
"""From the lowest to the highest. A module or a package imports only lower ones; inside a package there is no order."""

WORKER_SIDE = "tpllint.analysis"
HEAVY = {"jinja2", "transformers", "huggingface_hub", "torch", "deepdiff", "numpy", "rich"}
CLIENTS = {"socket", "socketserver", "ssl", "http", "urllib.request", "httpx", "httpx2", "requests", "huggingface_hub"}
NETWORK = CLIENTS | {"gradio", "fastapi", "starlette", "uvicorn"}
CLIENT = "tpllint.sources.hub_client"
"""The one module that gets hold of what can open a socket to somebody else."""
SERVER = "tpllint.serving.listening"
"""The one module that listens."""
DOWNLOADER = "tpllint.generation.model_download"
"""The one module that has huggingface_hub fetch weights, in the process of a model."""
MODEL_SIDE = "tpllint.generation.model_"
"""What runs in the process of a model alone; the names of its modules begin with it."""
OF_MODELS = ("torch", "transformers", "accelerate", "bitsandbytes")
HARMLESS = {
    "tpllint.sources.hub_cache": {"huggingface_hub.constants"},
    "tpllint.sources.hub_failures": {"huggingface_hub.errors", "huggingface_hub.utils"},
}
"""Settings, exceptions and how headers are read: what others take from huggingface_hub opens nothing."""
HUB_ROOMS = "tpllint.sources.hub"
"""The door to the Hub; the names of the rooms behind it begin with it."""
DOORS = {HUB_ROOMS, f"{HUB_ROOMS}_weights"}
"""Its doors: to the few files that tpllint reads, and to what a whole model consists of."""
OPEN_ROOMS = {"tpllint.sources.hub_target", "tpllint.sources.hub_discussions", "tpllint.sources.hub_pull_request"}
"""What others may enter: how models are named, and the door to discussions."""
VERBS = (
    "api",
    "asking",
    "chatting",
    "checking",
    "data",
    "describing",
    "diffing",
    "fixing",
    "generating",
    "locking",
    "rendering",
    "repairs",
    "reproduction",
    "reviewing",
    "selection",
    "showing",
    "storage",
    "suppression",
    "targets",
    "webhook",
)
"""The modules that do what a command asks for; `cli` parses, prints and exits."""
NOT_FOR_VERBS = {"sys", "os", "click", "print", "exit", "quit", "input", "open"}


def _module(path: Path, folder: Path, package: str) -> str:
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))


def _modules(folder: str, package: str) -> dict[str, ast.Module]:
    found = sorted((ROOT / folder).rglob("*.py"))
    return {_module(path, ROOT / folder, package): ast.parse(path.read_text(encoding="utf-8")) for path in found}


CORE = _modules("tpllint", "tpllint")
RULES = _modules("rules", BUILT_IN)
EVERYTHING = {
    **CORE,
    **RULES,
    **{name: tree for folder in ("tests", "docs", "benchmarks", "fuzz") for name, tree in _modules(folder, folder).items()},
}

each_core_module = pytest.mark.parametrize("module", CORE)
each_rule_module = pytest.mark.parametrize("module", RULES)


def _imports(node: ast.AST) -> Iterator[str]:
    """Every module that is imported at run time, and every name taken from one as if it were a module."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from _imported_by_call(child)
            yield from _imports(child)


def _imported_by_call(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        name = node.args[0]
        if isinstance(name, ast.Constant):
            yield str(name.value)


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _core_imports(module: str) -> set[str]:
    """The modules of tpllint that this one imports; a name of a module counts as the module."""
    found = set()
    for name in _imports(CORE[module]):
        owner = name if name in CORE else name.rpartition(".")[0]
        if owner in CORE:
            found.add(owner)
    return found - {module, "tpllint"}


def _placed(module: str) -> tuple[int, str]:
    """The layer of a module, and the entry that puts it there: the longest that fits."""
    inside = module.removeprefix("tpllint.")
    fitting = [(len(name), rank, name) for rank, names in enumerate(LAYERS) for name in names if _within(inside, name)]
    assert fitting, f"{module} has no layer: give it one in LAYERS"
    _, rank, name = max(fitting)
    return rank, name


@each_core_module
def test_a_lower_layer_never_imports_a_higher_one(module: str) -> None:
    if module == "tpllint":
        assert _core_imports(module) == set(), "its names are loaded when they are first used"
        return
    rank, entry = _placed(module)
    wrong = [name for name in _core_imports(module) if _placed(name)[1] != entry and _placed(name)[0] >= rank]
    assert wrong == []


@each_core_module
def test_the_parent_side_never_imports_jinja(module: str) -> None:
    if _within(module, WORKER_SIDE):
        return
    wrong = [name for name in _imports(CORE[module]) if _within(name, "jinja2") or _within(name, WORKER_SIDE)]
    assert wrong == []


@each_core_module
def test_only_processes_of_their_own_import_what_models_need(module: str) -> None:
    if module.startswith(MODEL_SIDE) or _within(module, WORKER_SIDE):
        return
    heavy = [name for name in _imports(CORE[module]) if any(_within(name, package) for package in OF_MODELS)]
    assert heavy + [name for name in _core_imports(module) if name.startswith(MODEL_SIDE)] == []


@each_rule_module
def test_a_rule_imports_only_tpllint_and_the_standard_library(module: str) -> None:
    allowed = {"tpllint", *sys.stdlib_module_names}
    assert [name for name in _imports(RULES[module]) if name.partition(".")[0] not in allowed] == []


@each_rule_module
def test_a_rule_uses_only_what_every_rule_pack_can_use(module: str) -> None:
    names = [name for name in _imports(RULES[module]) if _within(name, "tpllint")]
    assert [name for name in names if name.count(".") > 1] == []


@pytest.mark.parametrize("module", EVERYTHING)
def test_nothing_imports_a_rule_by_name(module: str) -> None:
    wrong = [name for name in _imports(EVERYTHING[module]) if _within(name, BUILT_IN) or _within(name, "rules")]
    assert wrong == []


@each_core_module
def test_only_the_clients_of_the_hub_and_the_server_can_open_a_socket(module: str) -> None:
    if module in (CLIENT, DOWNLOADER, SERVER):
        return
    used = {name for name in _imports(CORE[module]) if any(_within(name, package) for package in NETWORK)}
    assert {name for name in used if not any(_within(name, free) for free in HARMLESS.get(module, ()))} == set()


@each_core_module
def test_the_rooms_of_the_hub_are_entered_by_their_door_alone(module: str) -> None:
    inner = {name for name in _core_imports(module) if name.startswith(HUB_ROOMS)} - OPEN_ROOMS
    assert module.startswith(HUB_ROOMS) or inner <= {"tpllint.sources": DOORS}.get(module, set())


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_never_prints_exits_or_reads_the_environment(verb: str) -> None:
    tree = CORE[f"tpllint.{verb}"]
    imported = {name.partition(".")[0] for name in _imports(tree)}
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert (imported | named) & NOT_FOR_VERBS == set()


def test_the_command_line_starts_without_heavy_imports() -> None:
    assert _loaded_by("import tpllint.cli, tpllint.cli.check, tpllint.cli.render") & HEAVY == set()


def test_a_model_is_spoken_to_without_heavy_imports() -> None:
    assert _loaded_by("import tpllint.generation.talker") & HEAVY == set()


def test_a_whole_check_never_loads_jinja_into_the_parent(tmp_path: Path) -> None:
    template = tmp_path / "chat_template.jinja"
    template.write_text("{{ messages[0].content }}", encoding="utf-8")
    statement = f"from tpllint.cli import run; run(['check', '--quiet', '--ignore', 'ALL', {str(template)!r}])"
    assert _loaded_by(statement) & HEAVY == set()


def test_a_check_without_a_baseline_loads_nothing_for_one(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{{ messages[0].content }}", encoding="utf-8")
    statement = f"from tpllint.cli import run; run(['check', '-q', '--ignore', 'ALL', {str(tmp_path / 't.jinja')!r}])"
    assert "tpllint.baseline" not in _loaded_by(statement)


def test_a_worker_starts_without_what_most_runs_do_not_ask_for() -> None:
    assert tuple(worker.ROOMS) == pool.ROOMS
    loaded = _loaded_by("from tpllint import registry; import tpllint.analysis.main; registry.load([])")
    assert loaded & set(worker.ROOMS.values()) == set()


def _loaded_by(statement: str) -> set[str]:
    """The modules that a fresh process holds after a statement."""
    program = f"import json, sys\n{statement}\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(loaded)


@pytest.mark.parametrize("module", [*CORE, *RULES])
def test_a_word_of_the_canonical_conversations_is_spelt_in_one_module(module: str) -> None:
    words = {value for name, value in vars(canonical_words).items() if name.isupper()}
    spelt = {node.value for node in ast.walk(EVERYTHING[module]) if isinstance(node, ast.Constant) and node.value in words}
    assert not spelt or module == canonical_words.__name__, f"import them from {canonical_words.__name__}"


def test_every_such_word_stands_in_a_conversation() -> None:
    said = json.dumps([[dict(message) for message in each.messages] for each in canonical().values()])
    assert all(value in said for name, value in vars(canonical_words).items() if name.isupper())
