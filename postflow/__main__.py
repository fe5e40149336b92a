"""`python -m postflow` is the `postflow` command."""

import sys

if not sys.flags.safe_path:
    # The working directory, where somebody may keep a `tasks.py` of their own.
    del sys.path[0]

from .cli import main

main()
