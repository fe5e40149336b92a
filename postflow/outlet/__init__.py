"""Making a local file fetchable from outside: a media server on loopback, and a tunnel to it."""

from .files import Limits, Served
from .outlet import Outlet

__all__ = ["Limits", "Outlet", "Served"]
