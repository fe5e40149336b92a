"""What Prefect's UI edits: `prefect block register -m postflow.blocks`.

Prefect's servers and workers import it too, so importing it changes nothing of theirs.
"""

from postflow.blocks.adobe import AdobeTokens
from postflow.blocks.discord import DiscordWebhook
from postflow.blocks.frameio import FrameioAccount
from postflow.blocks.host import Host
from postflow.blocks.studio import Studio, load_studio
from postflow.blocks.tunnel import Tunnel

__all__ = [
    "AdobeTokens",
    "DiscordWebhook",
    "FrameioAccount",
    "Host",
    "Studio",
    "Tunnel",
    "load_studio",
]
