"""Hardly any certificates: nobody here speaks TLS, yet each client reads all that it trusts."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import certifi

END = "-----END CERTIFICATE-----\n"


def one_certificate() -> str:
    """A file with the first of certifi's 140, which take 30 ms to read."""
    folder = Path(tempfile.mkdtemp(prefix="tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "one.pem"
    file.write_text("".join(certifi.contents().partition(END)[:2]))
    return str(file)
