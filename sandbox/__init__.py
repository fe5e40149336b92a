"""The outside world in miniature: Frame.io, Adobe IMS, a part store, Discord, an ngrok agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .running import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> Any:
    """On demand: the agent's stand-in is a process of its own, and starts without the world."""
    if name == "Sandbox":
        from postflow.sandbox.running import Sandbox

        return Sandbox
    raise AttributeError(name)
