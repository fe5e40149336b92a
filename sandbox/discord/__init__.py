"""Discord in miniature: one webhook, as strict as the real one."""

from .world import DiscordWorld

__all__ = ["DiscordWorld"]
