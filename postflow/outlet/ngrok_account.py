"""Which authtoken an agent is to use."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import SecretStr
from pyngrok.installer import get_default_ngrok_dir

from . import ngrok_errors


def find_authtoken(given: SecretStr | None) -> SecretStr:
    """The given one, that of NGROK_AUTHTOKEN, or the one `ngrok config add-authtoken` has kept.

    Raises Fatal `tunnel.ngrok.4018`.
    """
    if given is not None and given.get_secret_value():
        return given
    token = os.environ.get("NGROK_AUTHTOKEN") or _kept()
    if not token:
        raise ngrok_errors.refused(4018)
    return SecretStr(token)


def _kept() -> str | None:
    try:
        config = (Path(get_default_ngrok_dir()) / "ngrok.yml").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r"""^\s*authtoken:\s*["']?([^\s"'#]+)""", config, re.MULTILINE)
    return match[1] if match else None
