"""Telling reviewers: one message a clip, which changes with the clip's state."""

from .card import Card, batch_card, failed_card, on_its_way_card, ready_card
from .client import DiscordClient

__all__ = [
    "Card",
    "DiscordClient",
    "batch_card",
    "failed_card",
    "on_its_way_card",
    "ready_card",
]
