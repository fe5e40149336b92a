"""Frame.io V4 and the Adobe sign-in it needs."""

from postflow.frameio.auth.ims import AdobeIms, Credential
from postflow.frameio.auth.renewal import TokenSource
from postflow.frameio.auth.tokens import FileTokenStore, Tokens

from .calls import CallRetries
from .client import FrameioClient

__all__ = [
    "AdobeIms",
    "CallRetries",
    "Credential",
    "FileTokenStore",
    "FrameioClient",
    "TokenSource",
    "Tokens",
]
