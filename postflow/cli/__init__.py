"""The command line. What a command works with, Prefect above all, is imported inside it."""

from . import (  # noqa: F401 - each module adds its commands to the app
    check,
    contact,
    demo,
    name,
    queue,
    retry,
    sandbox,
    scan,
    setup,
    share,
    status,
    ui,
    up,
    upload,
    watch,
)
from .app import app, main

__all__ = ["app", "main"]
