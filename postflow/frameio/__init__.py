"""Frame.io V4 and the Adobe sign-in it needs."""

from postflow.frameio.auth.ims import (
    IMS_URL,
    AdobeIms,
    Credential,
    NativeCredential,
    ServiceCredential,
    UserCredential,
    WebCredential,
)
from postflow.frameio.auth.renewal import LegacyToken, TokenSource, TokenSupply
from postflow.frameio.auth.tokens import FileTokenStore, Tokens, TokenStore

from .calls import CallRetries
from .client import FRAMEIO_URL, FrameioClient
from .models import Account, Profile, UploadStatus, Workspace
from .stacks import VersionStack

__all__ = [
    "FRAMEIO_URL",
    "IMS_URL",
    "Account",
    "AdobeIms",
    "CallRetries",
    "Credential",
    "FileTokenStore",
    "FrameioClient",
    "LegacyToken",
    "NativeCredential",
    "Profile",
    "ServiceCredential",
    "TokenSource",
    "TokenStore",
    "TokenSupply",
    "Tokens",
    "UploadStatus",
    "UserCredential",
    "VersionStack",
    "WebCredential",
    "Workspace",
]
