"""What an agent said, kept to explain why it failed, and cleaned of what nobody may read."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from pydantic import SecretStr
from pyngrok.exception import (
    PyngrokNgrokError,
    PyngrokNgrokHTTPError,
    PyngrokNgrokURLError,
)
from pyngrok.log import NgrokLog

from postflow.errors import Fatal, PostFlowError
from postflow.outlet import ngrok_errors

_URL = re.compile(r"\w+://\S+")
_BAD_LEVELS = ("WARNING", "ERROR", "CRITICAL")


class LastWords:
    """`complaints` returns what the agent wrote to stderr."""

    def __init__(self, authtoken: SecretStr, complaints: Callable[[], str]) -> None:
        self._authtoken = authtoken
        self._complaints = complaints
        self._troubles: deque[str] = deque(maxlen=20)

    def note(self, line: NgrokLog) -> None:
        """pyngrok's callback: an exception in it would end the reading, and so stop the agent."""
        if line.lvl in _BAD_LEVELS and line.err:
            self._troubles.append(str(line.err))

    def forget(self) -> None:
        """All is well: what was said until now explains no later failure."""
        self._troubles.clear()

    def reason(self, otherwise: PostFlowError) -> PostFlowError:
        """The error for the latest ngrok code that the agent named, if it named one."""
        for words in (*reversed(self._troubles), self._complaints()):
            if (code := ngrok_errors.code_in(words)) is not None:
                return ngrok_errors.refused(code)
        return otherwise

    def silence(self, seconds: float) -> PostFlowError:
        """The error for an agent that was not ready in time."""
        if self._troubles:
            return self.reason(ngrok_errors.failed(self._clean(self._troubles[-1])))
        return self.reason(ngrok_errors.silent(seconds))

    def refusal(self, error: Exception) -> PostFlowError:
        """The error for a call to pyngrok that raised."""
        if isinstance(error, PermissionError):
            return _not_allowed()
        if isinstance(error, PyngrokNgrokURLError):
            return self.reason(ngrok_errors.unanswered())
        said = self._said(error)
        if (code := ngrok_errors.code_in(said)) is not None:
            return ngrok_errors.refused(code)
        return self.reason(ngrok_errors.failed(self._clean(said)))

    def _said(self, error: Exception) -> str:
        # pyngrok leaves the code of a refused call in the body; its own attribute is empty.
        if isinstance(error, PyngrokNgrokHTTPError):
            return error.body
        if isinstance(error, PyngrokNgrokError):
            return error.ngrok_error or self._complaints()
        return str(error)

    def _clean(self, words: str) -> str:
        """The first line, without addresses and the authtoken that ngrok repeats."""
        first = words.replace(self._authtoken.get_secret_value(), "…").strip().splitlines()[:1]
        return _URL.sub("…", "".join(first))[:200].rstrip(".")


def _not_allowed() -> Fatal:
    return Fatal(
        "The ngrok agent may not be started.",
        hint="Check that the ngrok agent is executable for this user, and that PostFlow's state"
        " folder is not on a volume mounted noexec.",
        code="tunnel.ngrok.forbidden",
    )
