"""The outside world in miniature: Frame.io, Adobe IMS, a part store, Discord, an ngrok agent."""

from sandbox.running import Sandbox

__all__ = ["Sandbox"]
