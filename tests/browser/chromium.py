"""A headless Chromium that opens pages from files, and what it saw while it did."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROWSER, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDE, NARROW = 1400, 400
HEIGHT = 900


class Chromium:
    """One browser; each page is opened with nothing known of those before."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, path: Path, *, width: int = WIDE, scheme: str = "light", media: str = "screen") -> None:
        """Show a file in a window of this width."""
        self._send("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        self._send("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.console()
        self.requested()
        self._driver.get(path.as_uri())

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """What a script of the test, not of the page, returns."""
        return self._driver.execute_script(script, *arguments)

    def on_every_page(self, script: str) -> None:
        """Run a script before anything of each page that is opened from now on."""
        self._send("Page.addScriptToEvaluateOnNewDocument", source=script)

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        ActionChains(self._driver).send_keys(key).perform()

    def console(self) -> list[str]:
        """The messages of the console since it was asked for last: violations of the policy are among them."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requested(self) -> list[str]:
        """What was asked for, from disk or network, since it was asked for last."""
        events = (json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance"))
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def title(self) -> str:
        """The title of the window."""
        return str(self._driver.title)

    def _send(self, command: str, **parameters: Any) -> None:
        self._driver.execute_cdp_cmd(command, parameters)


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """A browser with a fresh profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Chromium(driver)
    finally:
        driver.quit()
