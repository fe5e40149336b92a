"""Telling reviewers: one message a clip, which changes with the clip's state, or one of many."""

from .card import Card
from .client import DiscordClient

__all__ = ["Card", "DiscordClient"]
