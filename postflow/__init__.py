"""PostFlow: finished clips, delivered once and whole to Frame.io, announced in Discord.

What is named here is imported when it is first used: most of it brings Prefect along.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postflow.engine.studio import open_studio
    from postflow.flows.deliver import deliver, upload_file_to_frameio

    from .blocks import Studio
    from .errors import Fatal, PostFlowError, Retry, Skip
    from .frameio import FrameioClient
    from .models import Delivery, UploadResult
    from .naming import Naming
    from .outlet import Outlet

_WHERE = {
    "Studio": "blocks",
    "open_studio": "engine.studio",
    "Fatal": "errors",
    "PostFlowError": "errors",
    "Retry": "errors",
    "Skip": "errors",
    "deliver": "flows.deliver",
    "upload_file_to_frameio": "flows.deliver",
    "FrameioClient": "frameio",
    "Delivery": "models",
    "UploadResult": "models",
    "Naming": "naming",
    "Outlet": "outlet",
}

__all__ = [
    "Delivery",
    "Fatal",
    "FrameioClient",
    "Naming",
    "Outlet",
    "PostFlowError",
    "Retry",
    "Skip",
    "Studio",
    "UploadResult",
    "deliver",
    "open_studio",
    "upload_file_to_frameio",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
