"""Frame.io V4 and the Adobe sign-in it needs."""

from postflow.frameio.client import FRAMEIO_URL, FrameioClient
from postflow.frameio.credentials import (
    Credential,
    NativeCredential,
    ServiceCredential,
    UserCredential,
    WebCredential,
)
from postflow.frameio.ims import IMS_URL, AdobeIms
from postflow.frameio.patience import Patience
from postflow.frameio.renewal import LegacyToken, TokenSource, TokenSupply
from postflow.frameio.stacks import VersionStack
from postflow.frameio.tokens import FileTokenStore, MemoryTokenStore, Tokens, TokenStore
from postflow.frameio.wire import Account, Profile, UploadStatus, Workspace

__all__ = [
    "FRAMEIO_URL",
    "IMS_URL",
    "Account",
    "AdobeIms",
    "Credential",
    "FileTokenStore",
    "FrameioClient",
    "LegacyToken",
    "MemoryTokenStore",
    "NativeCredential",
    "Patience",
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
