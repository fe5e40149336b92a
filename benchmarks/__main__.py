"""`make bench`: every benchmark, one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """The number of benchmarks that failed or missed their goal."""
    failures = 0
    for path in sorted(HERE.glob("[!_]*.py")):
        print(f"\n== {path.stem}", flush=True)  # noqa: T201 - the output
        command = [sys.executable, "-m", f"{HERE.name}.{path.stem}"]
        failures += subprocess.call(command, cwd=HERE.parent) != 0
    return failures


if __name__ == "__main__":
    sys.exit(main())
