"""`tpllint review`: a change of a model, on this machine or proposed on the Hub, and what is posted to its discussion."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from tests.command import Done, tpllint
from tests.local_hub import HANG_UP, READ_ONLY, LocalHub
from tests.small_tokenizer import CHATML
from tpllint.difference.review import SCHEMA
from tpllint.reviewing import MARKER
from tpllint.sources.hub_discussions import MAX_COMMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

WRITER, READER = "hf_Wr1ter", "hf_Reader"
MUTE = CHATML.split("{% if add_generation_prompt %}")[0]
SHOUTING = CHATML.replace("{{ m.content }}", "{{ m.content | upper }}")
CONFIG = b'{"eos_token": "<|im_end|>"}'
GENERATION = b'{"eos_token_id": 2}'
HTML = re.compile(r"<details><summary><code>[^<>@]*</code></summary>\n?|</details>\n?|<!-- tpllint-review -->\n?")
HOSTILE = "@everybody <img src=x onerror=alert(1)> [link](javascript:1) \x1b[31m\u202e ```\n</details> `` <!-- x"


def files(template: str, config: bytes = CONFIG, generation: bytes = GENERATION) -> dict[str, bytes]:
    return {"chat_template.jinja": template.encode(), "tokenizer_config.json": config, "generation_config.json": generation}


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as running:
        running.add("org/model", files(CHATML))
        running.add_user(WRITER, "reviewer")
        running.add_user(READER, "looker", READ_ONLY)
        yield running


def run(hub: LocalHub, home: Path, *arguments: str, token: str = "") -> Done:
    """Run a review as somebody whose Hub this is; it must neither fail nor tell the token."""
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": "", "HF_TOKEN": token}
    done = tpllint("review", *arguments, cwd=home, env=settings)
    assert "Traceback" not in done.out + done.err
    assert WRITER not in done.out + done.err
    return done


def proposed(hub: LocalHub, template: str = MUTE, **more: Any) -> str:
    """The number of a new pull request that proposes this template."""
    return str(hub.open_pull_request("org/model", files(template, **more), "Better", "somebody", "See for yourself."))


def comments(hub: LocalHub, number: str) -> list[str]:
    """The texts of the reviewer's comments."""
    found = hub.discussion("org/model", int(number)).comments
    return [event.text for event in found if event.author == "reviewer"]


def require_harmless(markdown: str) -> None:
    """Nothing in it is a link, a picture, HTML but for folds and the marker, or can be taken for a name outside of code."""
    for token in walked(MarkdownIt("gfm-like").parse(markdown)):
        if token.type in ("html_block", "html_inline"):
            assert HTML.fullmatch(token.content), token.content
        elif token.type == "text":
            assert not set("@#$<>[]&~`\\") & set(token.content), token.content
        else:
            assert not token.type.startswith(("link", "image")), token.type


def walked(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from walked(token.children or ())


def model(folder: Path, template: str) -> Path:
    for name, data in files(template).items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def there(tmp_path: Path) -> Path:
    model(tmp_path / "good", CHATML)
    model(tmp_path / "mute", MUTE)
    return tmp_path


def test_a_change_that_adds_an_error_fails_and_its_way_back_does_not(there: Path) -> None:
    worse = tpllint("review", "good", "mute", cwd=there)
    assert worse.code == 1
    assert re.match(r"behavioural: of \d+ prompts \d+ differ\n1 error added, 0 findings removed", worse.out)
    assert re.search(r"^  lost +.*generation-prompt", worse.out, re.MULTILINE)
    assert "error[generation-prompt-missing]" in worse.out
    better = tpllint("review", "mute", "good", cwd=there)
    assert better.code == 0
    assert "no findings added, 1 finding removed" in better.out
    assert re.search(r"^  won +.*generation-prompt", better.out, re.MULTILINE)


def test_what_was_there_before_fails_nobody(there: Path) -> None:
    model(there / "twice", MUTE + "{# noted #}")
    done = tpllint("review", "mute", "twice", cwd=there)
    assert done.code == 0
    assert "no findings added, 0 findings removed, 1 as before" in done.out


def test_the_failing_level_and_exit_zero_decide(there: Path) -> None:
    assert tpllint("review", "good", "mute", "--severity", "generation-prompt-missing=warning", cwd=there).code == 0
    warned = ("--severity", "generation-prompt-missing=warning", "--fail-on", "warning")
    assert tpllint("review", "good", "mute", *warned, cwd=there).code == 1
    assert tpllint("review", "good", "mute", "--exit-zero", cwd=there).code == 0
    assert tpllint("review", "good", "mute", "--ignore", "generation-prompt-missing", cwd=there).code == 0


def test_json_holds_to_its_contract(there: Path) -> None:
    body = tpllint("review", "good", "mute", "--output-format", "json", cwd=there).json()
    assert (body["schema"], body["verdict"], body["error"], body["pull_request"]) == (SCHEMA, "behavioural", None, None)
    assert [finding["rule"] for finding in body["findings"]["added"]] == ["generation-prompt-missing"]
    assert body["capabilities"] == {"won": [], "lost": [{"template": "default", "name": "generation-prompt"}]}
    assert {each["status"] for each in body["conversations"]} == {"same", "different"}
    assert body["fully_analysed"] == {"left": True, "right": True}


def test_findings_are_told_also_where_the_sides_cannot_be_compared(there: Path) -> None:
    model(there / "endless", "{% for i in range(99999) %}{% for j in range(99999) %}{{ messages }}{% endfor %}{% endfor %}")
    done = tpllint("review", "good", "endless", "--output-format", "json", cwd=there)
    body = done.json()
    assert done.code == 2
    assert (body["verdict"], body["error"]["kind"]) == (None, "resource-exhaustion")
    assert "resource-exhaustion" in [finding["rule"] for finding in body["findings"]["added"]]
    assert tpllint("review", "good", "endless", cwd=there).out.startswith("undecided: ")


def test_two_folders_without_a_template_are_nothing_to_fail_for(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    assert tpllint("review", "one", "other", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["good"], "not a model on the Hub: good"),
        (["org/model"], "there is nothing to review"),
        (["good", "mute", "--pr", "1"], "a review has one model with --pr or --from and --to, or two targets"),
        (["good", "mute", "mute"], "a review has one model with --pr or --from and --to, or two targets"),
        (["org/model", "--pr", "1", "--from", "main"], "--pr excludes --from and --to"),
        (["org/model@pr/2", "--pr", "1"], "--pr 1 and org/model@pr/2 name different things"),
        (["org/model", "--pr", "1", "--offline"], "a pull request or a revision is asked for at the Hub"),
        (["https://huggingface.co/org/model/blob/refs%2Fpr%2F7/tokenizer_config.json"], None),
        (["org/model", "--from", "\udcff"], "no revision can have this name: \\u{dcff}"),
        (["org/model", "--from", "main", "--to", ""], "no revision can have this name: "),
        (["good", "mute", "--from", ""], "a review has one model with --pr or --from and --to, or two targets"),
        (["good", "mute", "--comment"], "--comment needs a pull request on the Hub"),
        (["good", "mute", "--suggest"], "--suggest needs a pull request on the Hub"),
        (["good", "mute", "--dry-run"], "--dry-run prints what --comment or --suggest would send"),
        (["-", "-"], "standard input cannot be two sides"),
        (["good", "nowhere"], None),
    ],
)
def test_what_makes_no_sense_is_told_in_one_message_with_a_hint(there: Path, arguments: list[str], said: str | None) -> None:
    done = tpllint("review", *arguments, cwd=there)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"error: .+\n  help: .+\n", done.err)
    assert said is None or f"error: {said}\n" in done.err


@pytest.mark.parametrize("form", ["--pr", "name", "url"])
def test_a_pull_request_is_held_against_where_it_branched_off(hub: LocalHub, tmp_path: Path, form: str) -> None:
    number = proposed(hub)
    hub.add("org/model", files(SHOUTING))
    named = {"--pr": ["org/model", "--pr", number], "name": [f"org/model@pr/{number}"]}
    done = run(hub, tmp_path, *named.get(form, [f"{hub.url}/org/model/discussions/{number}"]), "--output-format", "json")
    body = done.json()
    assert done.code == 1
    told = {"repository": "org/model", "number": int(number), "title": "Better", "status": "open", "is_exact": True}
    assert body["pull_request"] == told
    assert body["right"] == f"org/model@pr/{number}"
    assert re.fullmatch(r"org/model@[0-9a-f]{40}", body["left"])
    assert [finding["rule"] for finding in body["findings"]["added"]] == ["generation-prompt-missing"]
    assert body["findings"]["removed"] == []


@pytest.mark.parametrize("output_format", ["text", "markdown", "html"])
def test_that_nothing_is_left_of_a_merged_pull_request_is_told(hub: LocalHub, tmp_path: Path, output_format: str) -> None:
    number = proposed(hub)
    hub.merge("org/model", int(number))
    done = run(hub, tmp_path, "org/model", "--pr", number, "--output-format", output_format)
    assert done.code == 0
    assert "identical" in done.out
    assert "it is merged: what its branch has of it already is on both sides, and shows no difference" in done.out


def test_two_revisions_are_reviewed(hub: LocalHub, tmp_path: Path) -> None:
    hub.add("org/model", files(MUTE), "next")
    done = run(hub, tmp_path, "org/model", "--from", "main", "--to", "next")
    assert done.code == 1
    assert "  left   org/model@main\n  right  org/model@next\n" in done.out
    assert run(hub, tmp_path, "org/model@main", "--from", "next").code == 0


def test_a_review_of_three_files_asks_twelve_times_at_most_and_comments(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub, config=CONFIG + b"\n", generation=GENERATION + b"\n")
    hub.recover()
    done = run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER)
    assert (done.code, len(comments(hub, number))) == (1, 1)
    assert len(hub.requests) <= 12
    assert [method for method, _ in hub.requests if method != "GET"] == ["POST"]


def test_a_comment_is_written_once_and_updated_in_place(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub)
    hub.comment("org/model", int(number), "somebody", f"{MARKER}\nthis is no review")
    said = []
    for template in (MUTE, CHATML + "\n\n{# done #}", SHOUTING):
        hub.add("org/model", files(template), f"refs/pr/{number}")
        said.append(run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER).err.split(":")[0])
        (text,) = comments(hub, number)
        assert text.startswith(f"{MARKER}\n**")
    assert said == ["comment posted", "comment updated", "comment updated"]
    assert "message-rewritten" in text
    again = run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER)
    assert again.err.startswith("comment unchanged: ")
    assert len(comments(hub, number)) == 1
    others = [event.text for event in hub.discussion("org/model", int(number)).comments if event.author == "somebody"]
    assert f"{MARKER}\nthis is no review" in others


def test_a_dry_run_prints_the_comment_and_sends_nothing(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub)
    done = run(hub, tmp_path, "org/model", "--pr", number, "--comment", "--dry-run")
    assert f"\n{MARKER}\n**behavioural**" in done.out
    assert comments(hub, number) == []
    assert {method for method, _ in hub.requests} == {"GET"}


def test_a_hostile_template_is_quoted_as_code_and_fits(hub: LocalHub, tmp_path: Path) -> None:
    longest = "{{ " + repr(HOSTILE * 300) + " }}" + MUTE
    number = proposed(hub, longest)
    run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER)
    (text,) = comments(hub, number)
    assert len(text) <= MAX_COMMENT
    require_harmless(text)


def test_a_prompt_of_any_length_leaves_room_for_what_differs_in_it(hub: LocalHub, tmp_path: Path) -> None:
    long = "{% for i in range(55) %}{{ i ~ '-' * 390 }}\n{% endfor %}" + CHATML
    number = proposed(hub, long)
    run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER)
    (text,) = comments(hub, number)
    assert "<details>" in text
    assert re.search(r"^\.\.\. \d+ further lines$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("token", "said"),
    [("", "no-token"), (READER, "no-write-right"), ("hf_Unknown", "rejected-token")],
)
def test_who_may_not_write_is_told_so_and_nothing_is_written(hub: LocalHub, tmp_path: Path, token: str, said: str) -> None:
    number = proposed(hub)
    done = run(hub, tmp_path, "org/model", "--pr", number, "--comment", "--output-format", "json", token=token)
    assert (done.code, done.json()["schema"]) == (2, SCHEMA)
    assert re.search(r"^error: .+\n  help: .+\n\Z", done.err, re.MULTILINE), done.err
    assert comments(hub, number) == []
    assert said


@pytest.mark.parametrize("on", ["/discussions/", "/commits/", "/revision/", "/resolve/", "whoami", "/comment"])
@pytest.mark.parametrize("status", [429, 500, HANG_UP])
def test_a_hub_that_fails_in_the_middle_leaves_nothing_half_done(hub: LocalHub, tmp_path: Path, on: str, status: int) -> None:
    number = proposed(hub)
    hub.fail_with(status, headers={"Retry-After": "9"}, on=on)
    done = run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER)
    assert done.code == 2
    assert len(re.findall(r"^error: .+\n  help: .+", done.err, re.MULTILINE)) == 1
    assert comments(hub, number) == []
    hub.recover()
    assert run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER).code == 1
    assert len(comments(hub, number)) == 1


@pytest.mark.parametrize(
    ("sent", "token", "kind"),
    [
        ("--comment", "", "to write on the Hugging Face Hub needs an access token"),
        ("--suggest", READER, "the access token may not write"),
        ("--comment", WRITER, "the discussion 1 of the model org/model is closed"),
    ],
)
def test_that_nothing_can_be_sent_is_told_before_the_review(
    hub: LocalHub, tmp_path: Path, sent: str, token: str, kind: str
) -> None:
    number = proposed(hub)
    if token == WRITER:
        hub.discussion("org/model", int(number)).status = "closed"
    done = run(hub, tmp_path, "org/model", "--pr", number, sent, token=token)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {kind}")
    assert run(hub, tmp_path, "org/model", "--pr", number, sent, "--dry-run").code == 1


def test_a_review_and_its_fixes_are_sent_by_one_run(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub)
    hub.fail_with(500, on="/preupload/")
    failed = run(hub, tmp_path, "org/model", "--pr", number, "--comment", "--suggest", token=WRITER)
    assert (failed.code, comments(hub, number)) == (2, [])
    hub.recover()
    done = run(hub, tmp_path, "org/model", "--pr", number, "--comment", "--suggest", token=WRITER)
    assert re.fullmatch(r"suggested: \S+/discussions/2\ncomment posted: \S+\n", done.err)


def test_what_is_no_open_pull_request_is_told(hub: LocalHub, tmp_path: Path) -> None:
    talk = str(hub.open_discussion("org/model", "Talk", "somebody", "Hello."))
    gone = proposed(hub)
    hub.delete_discussion("org/model", int(gone))
    for number in (talk, gone, "99"):
        done = run(hub, tmp_path, "org/model", "--pr", number, "--output-format", "json")
        assert (done.code, done.json()["verdict"]) == (2, None)
        assert done.json()["error"]["kind"] in ("no-such-pull-request", "no-such-discussion")


def test_a_gated_model_is_told(hub: LocalHub, tmp_path: Path) -> None:
    hub.add("org/gated", files(CHATML), gated=True)
    number = hub.open_pull_request("org/gated", files(MUTE), "Better", "somebody", "See.")
    done = run(hub, tmp_path, "org/gated", "--pr", str(number), "--output-format", "json", token=WRITER)
    assert (done.code, done.json()["error"]["kind"]) == (2, "gated-repository")


def test_fixes_are_suggested_once_on_top_of_the_pull_request(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub)
    shown = run(hub, tmp_path, "org/model", "--pr", number, "--suggest", "--dry-run")
    assert "+{% if add_generation_prompt %}" in shown.out.replace("}{%", "}\n+{%")
    assert {method for method, _ in hub.requests} == {"GET"}
    done = run(hub, tmp_path, "org/model", "--pr", number, "--suggest", token=WRITER)
    found = re.match(r"suggested: \S+/discussions/(\d+)\n", done.err)
    assert found is not None, done.err
    suggestion = hub.files("org/model", f"refs/pr/{found[1]}")
    assert "add_generation_prompt" in suggestion["chat_template.jinja"].decode()
    again = run(hub, tmp_path, "org/model", "--pr", number, "--suggest", token=WRITER)
    assert again.err.startswith("suggested before: ")
    assert run(hub, tmp_path, "org/model", "--pr", found[1]).code == 0


def test_a_file_that_is_too_large_to_be_read_is_not_deleted_by_a_suggestion(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub, config=CONFIG + b" " * 33_000_000)
    done = run(hub, tmp_path, "org/model", "--pr", number, "--suggest", token=WRITER)
    found = re.match(r"suggested: \S+/discussions/(\d+)\n", done.err)
    assert found is not None, done.err
    assert hub.files("org/model", f"refs/pr/{found[1]}")["tokenizer_config.json"] == CONFIG


def test_a_file_that_the_pull_request_deletes_is_deleted_by_the_suggestion_too(hub: LocalHub, tmp_path: Path) -> None:
    kept = {name: data for name, data in files(MUTE).items() if name != "generation_config.json"}
    number = hub.open_pull_request("org/model", kept, "Better", "somebody", "See.")
    done = run(hub, tmp_path, "org/model", "--pr", str(number), "--suggest", token=WRITER)
    found = re.match(r"suggested: \S+/discussions/(\d+)\n", done.err)
    assert found is not None, done.err
    assert set(hub.files("org/model", f"refs/pr/{found[1]}")) == set(kept)


def test_a_pull_request_that_the_fixes_undo_needs_no_suggestion(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub)
    run(hub, tmp_path, "org/model", "--pr", number, "--suggest", token=WRITER)
    hub.add("org/other", {**files(MUTE), "chat_template.jinja": hub.files("org/model", "refs/pr/2")["chat_template.jinja"]})
    undone = str(hub.open_pull_request("org/other", files(MUTE), "Worse", "somebody", "See."))
    done = run(hub, tmp_path, "org/other", "--pr", undone, "--suggest", token=WRITER)
    assert (done.code, done.err) == (1, "nothing to suggest: the fixes undo what is proposed\n")


def test_a_comment_that_quotes_a_review_is_left_alone(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub)
    own = f"I do not agree:\n> {MARKER}\n> **behavioural**"
    hub.comment("org/model", int(number), "reviewer", own)
    run(hub, tmp_path, "org/model", "--pr", number, "--comment", token=WRITER)
    assert comments(hub, number)[0] == own
    assert len(comments(hub, number)) == 2


def test_what_would_be_sent_does_not_mix_with_a_report_for_programs(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub)
    sent = ("--comment", "--suggest", "--dry-run", "--output-format", "json")
    done = run(hub, tmp_path, "org/model", "--pr", number, *sent)
    assert done.json()["schema"] == SCHEMA
    assert MARKER in done.err


def test_where_nothing_can_be_fixed_nothing_is_suggested(hub: LocalHub, tmp_path: Path) -> None:
    number = proposed(hub, CHATML + "{# noted #}")
    done = run(hub, tmp_path, "org/model", "--pr", number, "--suggest", token=WRITER)
    assert (done.code, done.err) == (0, "nothing to suggest\n")
    assert {method for method, _ in hub.requests} == {"GET"}
