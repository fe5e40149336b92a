"""The command line. What a command works with, Prefect above all, is imported inside it."""

# In the order of use, in which --help lists them.
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
