"""What our loggers say inside of a run is shown with the run in Prefect's UI."""

from __future__ import annotations

import logging

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler

from postflow.errors import PostFlowError


def show_in_ui() -> None:
    """Send the `postflow` loggers' lines to Prefect, once a process; calling it again is free."""
    logger = logging.getLogger("postflow")
    if any(isinstance(handler, APILogHandler) for handler in logger.handlers):
        return
    handler = APILogHandler()
    handler.addFilter(_inside_a_run)
    logger.addHandler(handler)
    logging.getLogger("prefect.task_runs").addFilter(_without_traceback)
    logger.setLevel(logging.INFO)


def _without_traceback(record: logging.LogRecord) -> bool:
    """What was foreseen says what to do; where our code raised it helps nobody."""
    if record.exc_info and isinstance(record.exc_info[1], PostFlowError):
        record.exc_info = None
    return True


def _inside_a_run(_: logging.LogRecord) -> bool:
    """Threads of our servers have no run; what they log stays on this machine."""
    return bool(TaskRunContext.get() or FlowRunContext.get())
