"""What holds of every page that tpllint writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import NARROW, WIDE
from tests.browser.scripts import CONTRASTS, OPEN_EVERYTHING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Chromium

PAGES = ("dialects", "blanks", "capable", "hostile", "identical", "reviewed", "checked", "checked_hostile", "checked_good")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def test_nothing_but_the_page_is_requested_and_the_console_stays_empty(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.evaluate(OPEN_EVERYTHING)
    assert browser.requested() == [page.as_uri()]
    assert browser.console() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser: Chromium, page: Path, scheme: str) -> None:
    browser.open(page, scheme=scheme)
    browser.evaluate(OPEN_EVERYTHING)
    told = browser.evaluate(CONTRASTS)
    assert {"p", "a"} <= told.keys()
    assert {name: ratio for name, ratio in told.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_page_never_scrolls_sideways(browser: Chromium, page: Path, width: int) -> None:
    browser.open(page, width=width)
    browser.evaluate(OPEN_EVERYTHING)
    widths = browser.evaluate("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1]
    beyond = "return [...document.querySelectorAll('main *')].filter(each => !each.closest('.code') && !each.closest('.cell') \
        && each.getBoundingClientRect().right > innerWidth).map(each => each.outerHTML.slice(0, 80))"
    assert browser.evaluate(beyond) == []
