"""Make the witness's environment, start the sandbox, send the SDK on its journey, report.

Run with the project's own Python: `python conformance/run.py`. Needs the registry once; exits
non-zero if any step missed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
UV = ROOT / ".tools" / "bin" / "uv"
ENVIRONMENT = ROOT / ".venv-conformance"
REQUIREMENTS = HERE / "requirements.txt"
STOP_SECONDS = 20
WITNESS_SECONDS = 600


def environment() -> Path:
    """The Python of an environment that holds just what the requirements say."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    venv.create(ENVIRONMENT, clear=True)
    install = [str(UV), "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
    subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
    stamp.write_text(wanted)
    return python


@contextmanager
def sandbox() -> Iterator[str]:
    """A sandbox process; yields the line that describes it."""
    command = [sys.executable, "-m", "sandbox", "--json", "--switch", "rate_scale=500"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or not (line := process.stdout.readline()):
                raise RuntimeError("The sandbox did not start.")
            json.loads(line)
            yield line
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def main() -> int:
    python = environment()
    with sandbox() as description:
        witness = subprocess.run(
            [str(python), str(HERE / "journey.py")],
            input=description,
            text=True,
            timeout=WITNESS_SECONDS,
            check=False,
        )
    return witness.returncode


if __name__ == "__main__":
    sys.exit(main())
