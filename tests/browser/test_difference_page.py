"""The page of `tpllint diff --output-format html`, as a browser shows it and as somebody at a keyboard uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import NARROW, WIDE
from tests.browser.scripts import FOCUS, OPEN_EVERYTHING, REACHABLE
from tests.report.pages import ALLOWED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Chromium

MOST_STEPS = 2000


def test_the_policy_lets_the_style_in_and_keeps_scripts_out(browser: Chromium, blanks: Path, tmp_path: Path) -> None:
    browser.open(blanks)
    assert browser.evaluate("return getComputedStyle(document.querySelector('.line')).whiteSpace") == "pre-wrap"
    added = tmp_path / "added.html"
    hole = '<script>document.title = "ran"</script><style>body { color: red }</style></body>'
    added.write_text(blanks.read_text(encoding="ascii").replace("</body>", hole), encoding="ascii")
    browser.open(added)
    assert browser.title() != "ran"
    assert len([message for message in browser.console() if "Content Security Policy" in message]) == 2


def test_what_a_stranger_wrote_stays_text(browser: Chromium, hostile: Path) -> None:
    browser.on_every_page("window.alerts = []; window.alert = told => { window.alerts.push(told) }")
    browser.open(hostile)
    browser.evaluate(OPEN_EVERYTHING)
    assert browser.evaluate("return window.alerts") == []
    assert set(browser.evaluate("return [...document.querySelectorAll('*')].map(each => each.localName)")) <= ALLOWED
    attributes = browser.evaluate("return [...document.querySelectorAll('*')].flatMap(each => each.getAttributeNames())")
    assert not any(name.startswith("on") or name in ("src", "style") for name in attributes)
    text = browser.evaluate("return document.body.textContent")
    assert "<script>alert(1)</script>" in text
    assert "&lt;b&gt;" in text
    assert not set("\u202e\u2066\u0007\u200b") & set(text)
    title = browser.title()
    assert title.startswith("behavioural: left/<img src=x onerror=alert(3)>&")
    assert title.endswith(" - tpllint diff")


def test_every_part_is_reached_and_opened_with_tab_and_enter(browser: Chromium, dialects: Path) -> None:
    browser.open(dialects)
    total = browser.evaluate("return document.querySelectorAll('details').length")
    reached: list[dict[str, Any]] = []
    for _ in range(MOST_STEPS):
        browser.press(Keys.TAB)
        at = browser.evaluate(FOCUS, REACHABLE)
        if at["index"] < 0:
            break
        if at["tag"] == "SUMMARY" and not at["open"]:
            browser.press(Keys.ENTER)
        reached.append(at)
    visible = browser.evaluate("return [...document.querySelectorAll(arguments[0])].map((_, index) => index)", REACHABLE)
    assert [at["index"] for at in reached] == visible
    assert all(at["seen"] and at["inside"] for at in reached)
    assert browser.evaluate("return document.querySelectorAll('details[open]').length") == total > 10


def test_the_skip_link_comes_first_and_leads_past_the_header(browser: Chromium, dialects: Path) -> None:
    browser.open(dialects)
    browser.press(Keys.TAB)
    assert browser.evaluate("return document.activeElement.className") == "skip"
    browser.press(Keys.ENTER)
    assert browser.evaluate("return document.activeElement.id") == "found"


def test_enter_closes_what_it_opened(browser: Chromium, blanks: Path) -> None:
    browser.open(blanks)
    browser.evaluate("document.querySelector('details.prompt > summary').focus()")
    states = []
    for _ in range(2):
        browser.press(Keys.ENTER)
        states.append(browser.evaluate("return document.querySelector('details.prompt').open"))
    assert states == [True, False]


def test_light_and_dark_are_two_pages(browser: Chromium, blanks: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        browser.open(blanks, scheme=scheme)
        grounds.append(browser.evaluate("return getComputedStyle(document.documentElement).backgroundColor"))
    assert len(set(grounds)) == 2


def test_both_sides_stand_beside_each_other_where_there_is_room_and_else_below(browser: Chromium, capable: Path) -> None:
    both = "document.querySelector('article .differs:not(:has(.nothing))').children"
    measure = f"return [...{both}].map(each => each.getBoundingClientRect()).map(each => [each.left, each.top])"
    browser.open(capable, width=WIDE)
    left, right = browser.evaluate(measure)
    assert right[0] > left[0]
    assert right[1] == left[1]
    browser.open(capable, width=NARROW)
    left, right = browser.evaluate(measure)
    assert right[0] == left[0]


def test_the_characters_that_changed_are_marked_by_more_than_a_colour(browser: Chromium, dialects: Path) -> None:
    browser.open(dialects)
    browser.evaluate(OPEN_EVERYTHING)
    for side, sign in (("left", "-"), ("right", "+")):
        selector = f"main .pair .differs > .{side}"
        texts = browser.evaluate(
            "return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)", f"{selector} mark:not(.gap)"
        )
        assert texts
        assert all(texts)
        style = f"return getComputedStyle(document.querySelector('{selector} mark:not(.gap)')).borderBottomWidth"
        assert browser.evaluate(style) == "2px"
        before = f"return getComputedStyle(document.querySelector('{selector} .line'), '::before').content"
        assert browser.evaluate(before) == f'"{sign}"'


def test_a_blank_line_more_is_seen(browser: Chromium, blanks: Path) -> None:
    browser.open(blanks)
    marked = "return [...document.querySelector('article').querySelectorAll('.right mark')].map(each => each.innerText)"
    assert browser.evaluate(marked) == ["\u21b5"]


def test_conversations_that_changed_stand_before_those_that_did_not(browser: Chromium, dialects: Path) -> None:
    browser.open(dialects)
    tops = browser.evaluate(
        "return ['#changed', 'article', '#further', 'details.prompt', '#unchanged'].map(each =>"
        " document.querySelector(each).getBoundingClientRect().top)"
    )
    assert tops == sorted(tops)
    open_ = "return [...document.querySelectorAll('article .pair')].filter(each => each.checkVisibility()).length"
    assert browser.evaluate(open_) >= browser.evaluate("return document.querySelectorAll('article').length") > 1
    assert browser.evaluate("return document.querySelectorAll('details.prompt[open]').length") == 0


def test_the_code_that_wrote_a_change_stands_below_its_side(browser: Chromium, blanks: Path) -> None:
    browser.open(blanks)
    places = "return [...document.querySelectorAll('article .codes > .cell')].map(each => each.innerText)"
    left, right = browser.evaluate(places)
    assert "chatml/chat_template.jinja:2:66" in left
    assert "chatml-reformatted/chat_template.jinja:2:83" in right
    assert "'<|im_end|>\\n'" in browser.evaluate("return document.querySelector('article .code mark').innerText")


def test_code_that_is_cut_off_can_be_scrolled_and_has_a_name(browser: Chromium, dialects: Path) -> None:
    browser.open(dialects, width=NARROW)
    wide = "return [...document.querySelectorAll('*')].filter(each => each.scrollWidth > each.clientWidth + 1 &&\
        getComputedStyle(each).overflowX == 'auto').map(each => [each.tabIndex, each.getAttribute('aria-label')])"
    found = browser.evaluate(wide)
    assert found
    assert all(index == 0 and label for index, label in found)


def test_printing_shows_the_examples_whole_and_no_navigation(browser: Chromium, capable: Path) -> None:
    browser.open(capable, media="print")
    seen = "return [...document.querySelectorAll(arguments[0])].map(each => each.getBoundingClientRect().height > 0)"
    assert all(browser.evaluate(seen, "article .line"))
    folded = browser.evaluate(seen, "article .fold .line, section > .fold tr")
    assert folded
    assert all(folded)
    assert not any(browser.evaluate(seen, "nav, .skip"))


def test_a_page_about_nothing_fits_a_window(browser: Chromium, identical: Path) -> None:
    browser.open(identical)
    assert browser.evaluate("return document.documentElement.scrollHeight <= innerHeight")
    assert browser.evaluate("return document.querySelector('h1').innerText").startswith("identical")
