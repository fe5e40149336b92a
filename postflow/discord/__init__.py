"""Telling reviewers: one message a clip, which changes with the clip's state, or one of many."""

from .card import Card
from .cards import failed_card, on_its_way_card, ready_card
from .client import DiscordClient
from .summary import MOST_NAMES, batch_card, skipped_card

__all__ = [
    "MOST_NAMES",
    "Card",
    "DiscordClient",
    "batch_card",
    "failed_card",
    "on_its_way_card",
    "ready_card",
    "skipped_card",
]
