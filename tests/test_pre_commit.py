"""The pre-commit hook: what it looks at, and a real `pre-commit try-repo` of this checkout on real repositories.

pre-commit installs the hook from a commit, and leaves out files that git does not know yet. So the checkout is copied as it
stands, without what git ignores, and committed there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "tpllint tests"), ("EMAIL", "tests@example.invalid"))
}
WITHOUT_TEMPLATE = {
    "model/tokenizer_config.json": '{"bos_token": "<s>", "eos_token": "</s>"}',
    "model/processor_config.json": '{"processor_class": "LlavaProcessor"}',
    "README.md": "# A model",
}
GOOD = {
    "models/small/chat_template.jinja": "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
}
BROKEN = {"model/chat_template.jinja": "{% for message in messages %}{{ message.content }}"}


@pytest.mark.parametrize(
    "path",
    [
        "chat_template.jinja",
        "chat_template_with_tools.jinja",
        "models/small/chat_template.jinja",
        "additional_chat_templates/tool_use.jinja",
        "models/small/additional_chat_templates/rag.jinja",
        "tokenizer_config.json",
        "models/small/tokenizer_config.json",
        "chat_template.json",
        "processor_config.json",
    ],
)
def test_the_hook_looks_at(path: str) -> None:
    assert re.search(_pattern(), path)


@pytest.mark.parametrize(
    "path",
    [
        "config.json",
        "tokenizer.json",
        "my_tokenizer_config.json",
        "chat_template.jinja.orig",
        "templates/page.jinja",
        "additional_chat_templates/notes.md",
        "additional_chat_templates/old/tool_use.jinja",
        "chat_template/index.html",
    ],
)
def test_the_hook_leaves_alone(path: str) -> None:
    assert not re.search(_pattern(), path)


def test_a_broken_template_fails_the_commit_and_shows_the_finding(checkout: Path, tmp_path: Path) -> None:
    done = _try_repo(checkout, _repository(tmp_path, BROKEN))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error[template-syntax-error]" in done.stdout
    assert "--> model/chat_template.jinja:1:" in done.stdout


def test_configuration_files_without_a_template_pass_in_silence(checkout: Path, tmp_path: Path) -> None:
    done = _try_repo(checkout, _repository(tmp_path, WITHOUT_TEMPLATE), "--verbose")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^tpllint\.+Passed$", done.stdout, re.MULTILINE)
    assert "no findings in 0 templates" in done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/lock.md"])
def test_the_configuration_that_a_page_shows_is_valid(page: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(_shown(page), encoding="utf-8")
    command = [sys.executable, "-m", "pre_commit", "validate-config", "shown.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_is_locked_and_changed_or_deleted_fails_the_commit(checkout: Path, tmp_path: Path) -> None:
    repository = _repository(tmp_path, GOOD | {".pre-commit-config.yaml": _installed_from(checkout)})
    environment = {**_environment(), "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"), "PRE_COMMIT_COLOR": "never"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    def commit() -> subprocess.CompletedProcess[str]:
        run("git", "add", "--all")
        return run("git", "-c", "commit.gpgsign=false", "commit", "--message", "a change")

    assert run(sys.executable, "-m", "tpllint", "lock", "models/small").returncode == 0
    assert run(sys.executable, "-m", "pre_commit", "install").returncode == 0
    done = commit()
    assert done.returncode == 0, done.stdout + done.stderr
    template, lock = repository / "models/small/chat_template.jinja", repository / "tpllint.lock"
    for path, text, said in (
        (template, None, 'the template "default" was locked and is not there any more'),
        (template, GOOD["models/small/chat_template.jinja"] + "!", "the prompts changed since they were locked"),
        (lock, None, "no such file: tpllint.lock"),
        (lock, '{"schema": "tpllint-lock-v1", "targets": {}, "version": "0.1.0"}', "tpllint.lock holds no targets"),
    ):
        before = path.read_text(encoding="utf-8")
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")
        done = commit()
        assert done.returncode == 1, done.stdout + done.stderr
        assert said in done.stdout + done.stderr
        path.write_text(before, encoding="utf-8")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as one commit, whatever of it is committed yet."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    copy = tmp_path_factory.mktemp("checkout") / "tpllint"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", *(line.strip("/") for line in ignored)))
    return _committed(copy)


def _repository(folder: Path, files: dict[str, str]) -> Path:
    root = folder / "repository"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return _committed(root)


def _committed(folder: Path) -> Path:
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--no-verify", "--message", "all"]):
        subprocess.run(["git", "-c", "commit.gpgsign=false", *arguments], cwd=folder, env=_environment(), check=True)
    return folder


def _try_repo(checkout: Path, repository: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(checkout), "tpllint", "--all-files", *options]
    environment = {**_environment(), "PRE_COMMIT_HOME": str(repository.parent / "pre-commit"), "PRE_COMMIT_COLOR": "never"}
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)


def _environment() -> dict[str, str]:
    """This process's, without what a git hook that runs the tests would set."""
    return {**{key: value for key, value in os.environ.items() if not key.startswith("GIT_")}, **IDENTITY}


def _shown(page: str) -> str:
    """The configuration of pre-commit that a page shows."""
    found = re.search(r"```yaml\n(repos:\n.+?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def _installed_from(checkout: Path) -> str:
    """The configuration of docs/lock.md, from the only commit of a checkout."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True).stdout.strip()
    return _shown("docs/lock.md").replace("<the address of this repository>", str(checkout)).replace("v0.1.0", head)


def _pattern() -> str:
    """The hook's expression for paths."""
    found = re.search(r"^  files: (.+)$", (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[1]
