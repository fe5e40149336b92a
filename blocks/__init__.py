"""What Prefect's UI edits: `prefect block register -m postflow.blocks`.

Prefect's servers and workers import it too, so importing it changes nothing of theirs.
"""

from .adobe import AdobeTokens
from .discord import DiscordWebhook
from .frameio import FrameioAccount
from .studio import Studio, load_studio
from .tunnel import Tunnel

__all__ = [
    "AdobeTokens",
    "DiscordWebhook",
    "FrameioAccount",
    "Studio",
    "Tunnel",
    "load_studio",
]
