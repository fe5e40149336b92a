"""The command line. What a command works with, Prefect above all, is imported inside it."""

from .app import app, main

# In the order of use, in which --help lists them.
from . import setup, check, up, ui, upload, scan, name, status, sandbox, demo  # isort: skip

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
