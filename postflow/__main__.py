"""`python -m postflow` is the `postflow` command."""

from postflow.cli import main

main()
