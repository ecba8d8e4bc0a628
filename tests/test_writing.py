"""Writes that happen whole or not at all, and only to files of the model's own."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

import pytest

from tpllint import writing
from tpllint.errors import RepairableError
from tpllint.repairs import FileChange
from tpllint.writing import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOBODY = 65534
EDIT = FileChange("a.json", "model/a.json", b"old", b"new")
CREATE = FileChange("b.jinja", "model/b.jinja", None, b"made")
INNER = FileChange("additional_chat_templates/c.jinja", "model/additional_chat_templates/c.jinja", None, b"inner")
DELETE = FileChange("d.json", "model/d.json", b"gone", None)
EVERY = (DELETE, EDIT, INNER, CREATE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"old")
    (folder / "d.json").write_bytes(b"gone")
    return folder


def held(folder: Path) -> dict[str, bytes | None]:
    """All that lies in a folder: files with their contents, anything else without."""
    found = sorted(folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in found}


def refusal(folder: Path, *changes: FileChange) -> tuple[str, str]:
    """Kind and message of what is raised; nothing has changed."""
    before = held(folder)
    with pytest.raises(RepairableError) as raised:
        write(str(folder), changes)
    assert held(folder) == before
    assert "nothing was changed" in raised.value.hint
    return raised.value.kind, raised.value.message


def test_files_appear_change_and_go(folder: Path) -> None:
    write(str(folder), EVERY)
    inner = {"additional_chat_templates": None, "additional_chat_templates/c.jinja": b"inner"}
    assert held(folder) == {"a.json": b"new", "b.jinja": b"made", **inner}


def test_a_new_file_stands_before_an_old_one_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, set[str]]] = []
    put = writing._put_in_place

    def noted(place: writing._Place) -> None:
        put(place)
        seen.append((place.name, {name for name in held(folder) if not name.endswith(".tpllint")}))

    monkeypatch.setattr(writing, "_put_in_place", noted)
    write(str(folder), EVERY)
    assert [name for name, _ in seen] == ["c.jinja", "b.jinja", "a.json", "d.json"]
    assert all({"b.jinja", "d.json"} <= files for _, files in seen[1:3])


def test_permissions_and_owner_stay(folder: Path) -> None:
    (folder / "a.json").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(folder / "a.json", NOBODY, NOBODY)
    before = (folder / "a.json").stat()
    write(str(folder), [EDIT])
    after = (folder / "a.json").stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o640, before.st_uid, before.st_gid)


def test_a_new_file_has_the_permissions_that_are_usual(folder: Path) -> None:
    (folder / "usual").touch()
    write(str(folder), [CREATE])
    assert (folder / "b.jinja").stat().st_mode == (folder / "usual").stat().st_mode


def link(path: Path) -> None:
    path.rename(path.with_suffix(".own"))
    path.symlink_to(path.with_suffix(".own").name)


def hard_link(path: Path) -> None:
    os.link(path, path.with_suffix(".own"))


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def change(path: Path) -> None:
    path.write_bytes(b"else")


@pytest.mark.parametrize(
    ("happens", "kind", "says"),
    [
        (link, "not-a-file", "is a link, and is not written"),
        (hard_link, "not-a-file", "has more than one name (hard links), and is not written"),
        (fifo, "not-a-file", "is not a regular file, and is not written"),
        (become_folder, "not-a-file", "is not a regular file, and is not written"),
        (change, "changed-meanwhile", "has changed since it was read, and is not written"),
        (os.unlink, "changed-meanwhile", "has changed since it was read, and is not written"),
    ],
)
@pytest.mark.parametrize("unwritten", [EDIT, DELETE])
def test_what_is_no_longer_the_file_that_was_read_is_left_alone(
    folder: Path, happens: Callable[[Path], None], kind: str, says: str, unwritten: FileChange
) -> None:
    happens(folder / unwritten.name)
    others = [one for one in EVERY if one is not unwritten]
    assert refusal(folder, *others, unwritten) == (kind, f"{unwritten.shown} {says}")


@pytest.mark.parametrize("stands", [link, fifo, become_folder, change])
@pytest.mark.parametrize("new", [CREATE, INNER])
def test_a_new_file_replaces_nothing(folder: Path, stands: Callable[[Path], None], new: FileChange) -> None:
    path = folder / new.name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    stands(path)
    assert refusal(folder, EDIT, new)[0] == "changed-meanwhile"


def test_a_link_that_leads_nowhere_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / CREATE.name).symlink_to(tmp_path / "outside.jinja")
    assert refusal(folder, CREATE, EDIT)[0] == "changed-meanwhile"
    assert not (tmp_path / "outside.jinja").exists()


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_of_templates_that_is_a_link_is_not_entered(folder: Path, tmp_path: Path, exists: bool) -> None:
    if exists:
        (tmp_path / "outside").mkdir()
    (folder / "additional_chat_templates").symlink_to(tmp_path / "outside")
    message = f"{INNER.shown} cannot be written: additional_chat_templates is a link or no folder"
    assert refusal(folder, EDIT, INNER) == ("unusable-path", message)
    assert not (tmp_path / "outside" / "c.jinja").exists()


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Somebody whom permissions bind."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o555, 0o666), (0o777, 0o444)])
def test_what_may_not_be_written_is_not(
    folder: Path, folder_mode: int, file_mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # the folders above are nobody's business
    (folder / "a.json").chmod(file_mode)
    folder.chmod(folder_mode)
    with as_nobody():
        kind, message = refusal_here(CREATE, EDIT)
    folder.chmod(0o755)
    assert (kind, message.partition(": ")[2]) == ("no-permission", "permission denied")
    assert held(folder) == {"a.json": b"old", "d.json": b"gone"}


def refusal_here(*changes: FileChange) -> tuple[str, str]:
    with pytest.raises(RepairableError) as raised:
        write(".", changes)
    return raised.value.kind, raised.value.message


@pytest.mark.parametrize("last", range(len(EVERY)))
def test_what_was_just_put_in_place_when_interrupted_is_taken_back(
    folder: Path, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, calls = writing._put_in_place, iter(range(len(EVERY)))

    def interrupted_after(place: writing._Place) -> None:
        put(place)
        if next(calls) == last:
            raise KeyboardInterrupt

    before = held(folder)
    monkeypatch.setattr(writing, "_put_in_place", interrupted_after)
    with pytest.raises(KeyboardInterrupt):
        write(str(folder), EVERY)
    assert held(folder) == before


def test_what_others_have_changed_meanwhile_is_not_taken_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = writing._put_in_place

    def overtaken(place: writing._Place) -> None:
        if place.change is DELETE:
            (folder / EDIT.name).write_bytes(b"theirs")
            raise OSError(28, "No space left on device")
        put(place)

    monkeypatch.setattr(writing, "_put_in_place", overtaken)
    with pytest.raises(RepairableError):
        write(str(folder), [EDIT, DELETE])
    assert held(folder) == {"a.json": b"theirs", "d.json": b"gone"}


@pytest.mark.parametrize("failing", range(len(EVERY)))
def test_what_fails_on_the_way_is_taken_back(folder: Path, failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    put, calls = writing._put_in_place, iter(range(len(EVERY)))

    def failing_once(place: writing._Place) -> None:
        if next(calls) == failing:
            raise OSError(28, "No space left on device")
        put(place)

    monkeypatch.setattr(writing, "_put_in_place", failing_once)
    kind, message = refusal(folder, *EVERY)
    assert (kind, message.partition(": ")[2]) == ("unusable-path", "no space left on device")


def test_a_file_system_without_links_takes_new_files_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write(str(folder), [CREATE, EDIT])
    assert held(folder) == {"a.json": b"new", "b.jinja": b"made", "d.json": b"gone"}
