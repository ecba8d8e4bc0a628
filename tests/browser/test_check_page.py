"""The page of `tpllint check --output-format html`, as a browser shows it and as somebody at a keyboard uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import NARROW
from tests.browser.scripts import FOCUS, OPEN_EVERYTHING, REACHABLE
from tests.report.pages import ALLOWED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Chromium


def test_what_a_stranger_wrote_stays_text(browser: Chromium, checked_hostile: Path) -> None:
    browser.on_every_page("window.alerts = []; window.alert = window.stranger = told => { window.alerts.push(told) }")
    browser.open(checked_hostile)
    browser.evaluate(OPEN_EVERYTHING)
    assert browser.evaluate("return window.alerts") == []
    assert set(browser.evaluate("return [...document.querySelectorAll('*')].map(each => each.localName)")) <= ALLOWED
    attributes = browser.evaluate("return [...document.querySelectorAll('*')].flatMap(each => each.getAttributeNames())")
    assert not any(name.startswith("on") or name in ("src", "style") for name in attributes)
    text = browser.evaluate("return document.body.textContent")
    assert "<script>alert(1)</script>" in text
    assert "&lt;b&gt;" in text
    assert not set("\u202e\u2066\u0007\u200b\x1b") & set(text)


def test_every_part_is_reached_with_tab_and_has_a_name(browser: Chromium, checked: Path) -> None:
    browser.open(checked)
    total = browser.evaluate("return document.querySelectorAll(arguments[0]).length", REACHABLE)
    reached: list[dict[str, Any]] = []
    for _ in range(total):
        browser.press(Keys.TAB)
        reached.append(browser.evaluate(FOCUS, REACHABLE))
    assert [at["index"] for at in reached] == list(range(total))
    assert all(at["seen"] and at["inside"] for at in reached)
    named = "return [...document.querySelectorAll('.code')].every(each => each.getAttribute('aria-label'))"
    assert browser.evaluate(named) is True


def test_the_links_lead_to_the_targets(browser: Chromium, checked: Path) -> None:
    browser.open(checked)
    links = (
        "return [...document.querySelectorAll('nav a')].map(each => [each.text, document.querySelector(each.hash).innerText])"
    )
    found = browser.evaluate(links)
    assert len(found) == 5
    assert all(text == heading for text, heading in found)


def test_the_place_is_marked_by_more_than_a_colour(browser: Chromium, checked: Path) -> None:
    browser.open(checked)
    assert browser.evaluate("return document.querySelector('mark').innerText") == "'<|im_end|>\\n'"
    assert browser.evaluate("return getComputedStyle(document.querySelector('mark')).borderBottomWidth") == "2px"


def test_blanks_are_shown_as_they_are(browser: Chromium, checked: Path) -> None:
    browser.open(checked)
    assert 'the indentation "        " of the source' in browser.evaluate("return document.body.innerText")


def test_names_stand_above_what_they_name_where_there_is_no_room(browser: Chromium, checked: Path) -> None:
    tops = "return [...document.querySelector('.facts > div').children].map(each => each.getBoundingClientRect().top)"
    browser.open(checked)
    name, told = browser.evaluate(tops)
    assert abs(name - told) < 5
    browser.open(checked, width=NARROW)
    name, told = browser.evaluate(tops)
    assert told > name + 10


def test_printing_shows_all_and_no_navigation(browser: Chromium, checked: Path) -> None:
    browser.open(checked, media="print")
    seen = "return [...document.querySelectorAll(arguments[0])].map(each => each.getBoundingClientRect().height > 0)"
    assert all(browser.evaluate(seen, ".row, dd, .names li"))
    assert not any(browser.evaluate(seen, "nav, .skip"))


def test_a_page_about_nothing_fits_a_window(browser: Chromium, checked_good: Path) -> None:
    browser.open(checked_good)
    assert browser.evaluate("return document.documentElement.scrollHeight <= innerHeight")
    assert browser.evaluate("return document.querySelector('h1').innerText") == "no findings in 1 template"
