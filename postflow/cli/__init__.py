"""The command line. Prefect, flows and blocks are imported inside the commands only."""

from . import check, demo, name, sandbox, scan, setup, status, ui, up, upload
from .app import app, main

__all__ = [
    "app",
    "check",
    "demo",
    "main",
    "name",
    "sandbox",
    "scan",
    "setup",
    "status",
    "ui",
    "up",
    "upload",
]
