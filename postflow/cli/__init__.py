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

# As a person comes to them.
GROUPS = {
    "Set up": "setup login check contact service",
    "Each day": "up ui status history scan upload name retry first cancel share",
    "Try it": "demo sandbox",
    "Several hosts, a Prefect server of your own, the ledger": (
        "hosts enrol watch serve backup export"
    ),
}
commands = {getattr(each.callback, "__name__", ""): each for each in app.registered_commands}
app.registered_commands.clear()
for panel, members in GROUPS.items():
    for command in map(commands.__getitem__, members.split()):
        command.rich_help_panel = panel
        app.registered_commands.append(command)

__all__ = ["app", "main"]
