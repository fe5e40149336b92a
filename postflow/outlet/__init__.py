"""Making a local file fetchable from outside: a media server on loopback, and a tunnel to it."""

from .outlet import Outlet
from .served import Served
from .served_file import Limits

__all__ = ["Limits", "Outlet", "Served"]
