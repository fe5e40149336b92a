"""The `postflow` command, also as `python -m postflow`."""

import signal
import sys


def main() -> None:
    """Until all is imported, Ctrl-C ends it at once, without a traceback."""
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as run

    if is_ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # The working directory, where somebody may keep a `tasks.py` of their own.
        del sys.path[0]
    main()
