"""What a person sees in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import TypeVar

from selenium.common import StaleElementReferenceException, TimeoutException
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 120.0
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

T = TypeVar("T")


class Page:
    """The one tab. All that looks waits until it sees, and fails with what it saw instead."""

    def __init__(self, driver: Chrome) -> None:
        self._driver = driver

    def open(self, url: str) -> None:
        self._driver.get(url)

    def find(self, selector: str) -> WebElement:
        """The first visible element, by CSS."""
        return self._wait(lambda: self._visible(By.CSS_SELECTOR, selector), selector)

    def link(self, text: str) -> WebElement:
        """The first visible link whose text holds that."""
        return self._wait(lambda: self._visible(By.PARTIAL_LINK_TEXT, text), f"a link {text!r}")

    def follow(self, text: str) -> None:
        """Go where that link leads."""
        self.open(str(self.link(text).get_attribute("href")))

    def turn_to(self, tab: str) -> None:
        """Open a tab of Prefect's UI, by its id, and wait for its page."""
        self.find(f"li.p-tab#{tab}").click()
        self.find(f"#{tab}-content")

    def wait_for(self, *words: str) -> None:
        """All of these are to be read on the page."""
        self._wait(lambda: all(word in self.text() for word in words), " and ".join(words))

    def wait_for_script(self, script: str) -> None:
        """Wait until a JavaScript expression is true."""
        self._wait(lambda: self._driver.execute_script(f"return {script}"), script)

    def sign_in(self, ui: str, password: str) -> None:
        """What a person does whom Prefect's UI asks for the password."""
        self.open(f"{ui}/login?redirect=/runs")
        self.find("input[type=password]").send_keys(password)
        self.find("button[type=submit]").click()
        self.wait_for("Flow runs", "Deployments")

    def show_at(self, width: int, height: int, *, dark: bool = False) -> None:
        """In a window of so many pixels, as a telephone has them too."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def forget(self) -> None:
        """All cookies: of any port of this machine, as browsers have it."""
        self._driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def press(self, key: str) -> None:
        """On the keyboard, wherever the focus is."""
        ActionChains(self._driver).send_keys(key).perform()

    def focused(self) -> WebElement:
        return self._driver.switch_to.active_element

    def tab_to(self, label: str, *, at_most: int = 60) -> None:
        """By the keyboard alone."""
        for _ in range(at_most):
            self.press(Keys.TAB)
            if self.focused().accessible_name == label:
                return
        raise AssertionError(f"{at_most} tabs do not lead to {label!r}.")

    def flaws(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 and its own best practices."""
        self._driver.execute_script(AXE)
        found = self._driver.execute_async_script(
            "axe.run().then(({violations}) => arguments[0](violations))"
        )
        return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]

    def asked_for(self) -> set[str]:
        """The addresses of all requests since the last look."""
        messages = (json.loads(each["message"])["message"] for each in self._log("performance"))
        sent = (each for each in messages if each["method"] == "Network.requestWillBeSent")
        return {each["params"]["request"]["url"] for each in sent}

    def complaints(self) -> list[str]:
        """What the browser itself has to say of the page since the last look."""
        return [each["message"] for each in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._driver.get_log(kind)  # type: ignore[no-untyped-call]
        return found

    def text(self) -> str:
        """All that is to be read."""
        return self._driver.find_element(By.TAG_NAME, "body").text

    def _visible(self, by: str, what: str) -> WebElement | None:
        found = self._driver.find_elements(by, what)
        return next((element for element in found if element.is_displayed()), None)

    def _wait(self, condition: Callable[[], T | None], what: str) -> T:
        waiting = WebDriverWait(
            self._driver, PATIENCE, 0.1, ignored_exceptions=[StaleElementReferenceException]
        )
        try:
            seen = waiting.until(lambda _: condition())
        except TimeoutException as error:
            raise AssertionError(f"Not seen: {what}. Seen:\n{self.text()}") from error
        assert seen is not None
        return seen
