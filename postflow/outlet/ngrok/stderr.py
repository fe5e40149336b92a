"""What an agent said: the reason why it failed, without authtoken, addresses and passwords."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote
from urllib.request import getproxies_environment

from pydantic import SecretStr
from pyngrok.exception import PyngrokNgrokError, PyngrokNgrokHTTPError, PyngrokNgrokURLError
from pyngrok.log import NgrokLog

from postflow.errors import PostFlowError

from .errors import CONFINED, FORBIDDEN, SILENT, UNANSWERED, code_in, failed, refused

_URL = re.compile(r"\w+://\S+")
_USER = re.compile(r"[^\s/'\"]+:[^\s/'\"]*@")
_CONFINED = ("permission denied", "no such file", "operation not permitted")
_SHORTEST_SECRET = 4
_BAD_LEVELS = ("WARNING", "ERROR", "CRITICAL")


class StderrTail:
    """The last errors of an agent, as PostFlow's. `complaints` returns what it wrote to stderr;
    `folder` is the one that it has to read.

    `from_snap`: it is confined, and may be kept from writing even its complaints.
    """

    def __init__(
        self,
        authtoken: SecretStr,
        complaints: Callable[[], str],
        folder: Path,
        *,
        from_snap: bool = False,
    ) -> None:
        self._authtoken = authtoken
        self._complaints = complaints
        self._folder = folder
        self._from_snap = from_snap
        self._errors: deque[str] = deque(maxlen=20)

    def note(self, line: NgrokLog) -> None:
        """pyngrok's callback: an exception in it would end the reading, and so stop the agent."""
        if line.lvl in _BAD_LEVELS and line.err:
            self._errors.append(str(line.err))

    def forget(self) -> None:
        """All is well: what was said until now explains no later failure."""
        self._errors.clear()

    def reason(self, otherwise: PostFlowError) -> PostFlowError:
        """The error for the latest ngrok code that the agent named, if it named one."""
        for words in (*reversed(self._errors), self._complaints()):
            if (code := code_in(words)) is not None:
                return refused(code)
        return otherwise

    def silence(self, seconds: float) -> PostFlowError:
        """The error for an agent that was not ready in time."""
        if self._errors:
            return self.reason(failed(self._clean(self._errors[-1])))
        return self.reason(SILENT(seconds=seconds))

    def refusal(self, error: Exception) -> PostFlowError:
        """The error for a call to pyngrok that raised."""
        if isinstance(error, PermissionError):
            return FORBIDDEN()
        if isinstance(error, PyngrokNgrokURLError):
            return self.reason(UNANSWERED())
        said = self._said(error)
        if (code := code_in(said)) is not None:
            return refused(code)
        if self._is_confined(said):
            return CONFINED(folder=self._folder.parent)
        return self.reason(failed(self._clean(said)))

    def _said(self, error: Exception) -> str:
        # pyngrok leaves the code of a refused call in the body; its own attribute is empty.
        if isinstance(error, PyngrokNgrokHTTPError):
            return error.body
        if isinstance(error, PyngrokNgrokError):
            return error.ngrok_error or self._complaints()
        return str(error)

    def _is_confined(self, said: str) -> bool:
        all_said = f"{said}\n{self._complaints()}"
        if not all_said.strip():
            return self._from_snap
        return str(self._folder) in all_said and any(sign in all_said.lower() for sign in _CONFINED)

    def _clean(self, words: str) -> str:
        """The first line, without addresses, authtoken and proxy passwords, which ngrok repeats."""
        first = "".join(words.strip().splitlines()[:1])
        for secret in (self._authtoken.get_secret_value(), *_proxy_secrets()):
            first = first.replace(secret, "…")
        return _USER.sub("…@", _URL.sub("…", first))[:200].rstrip(".")


def _proxy_secrets() -> Iterator[str]:
    """The proxies of the environment as they stand there, and their passwords in both spellings."""
    for proxy in getproxies_environment().values():
        user, at, _ = proxy.rpartition("@")
        if not at:
            continue
        password = user.partition("//")[2].partition(":")[2] or user.partition(":")[2]
        for secret in (proxy, user, password, unquote(password)):
            if len(secret) >= _SHORTEST_SECRET:
                yield secret
