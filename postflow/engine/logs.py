"""What our loggers say inside of a run is shown with the run in Prefect's UI."""

from __future__ import annotations

import logging

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler


def show_in_ui() -> None:
    """Send the `postflow` loggers' lines to Prefect, once a process; calling it again is free."""
    logger = logging.getLogger("postflow")
    if any(isinstance(handler, APILogHandler) for handler in logger.handlers):
        return
    handler = APILogHandler()
    handler.addFilter(_inside_a_run)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _inside_a_run(_: logging.LogRecord) -> bool:
    """Threads of our servers have no run; what they log stays on this machine."""
    return bool(TaskRunContext.get() or FlowRunContext.get())
