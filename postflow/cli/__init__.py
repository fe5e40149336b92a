"""The command line. What a command works with, Prefect above all, is imported inside it."""

from . import (  # noqa: F401 - each module adds its commands to the app
    check,
    contact,
    demo,
    hosts,
    ledger,
    name,
    queue,
    retry,
    sandbox,
    scan,
    service,
    setup,
    share,
    status,
    ui,
    up,
    upload,
    watch,
)
from .app import app, main

# As a person comes to them; others are listed after these.
ORDER = (
    "setup login check contact up service ui status history scan upload name "
    "retry first cancel share"
)
RANK = {command: rank for rank, command in enumerate(ORDER.split())}
app.registered_commands.sort(
    key=lambda each: RANK.get(getattr(each.callback, "__name__", ""), len(RANK))
)

__all__ = ["app", "main"]
