"""Frame.io V4 and the Adobe sign-in it needs."""

from .client import FRAMEIO_URL, FrameioClient
from .credentials import (
    Credential,
    NativeCredential,
    ServiceCredential,
    UserCredential,
    WebCredential,
)
from .ims import IMS_URL, AdobeIms
from .patience import Patience
from .renewal import LegacyToken, TokenSource, TokenSupply
from .stacks import VersionStack
from .tokens import FileTokenStore, MemoryTokenStore, Tokens, TokenStore
from .wire import Account, Profile, UploadStatus, Workspace

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
