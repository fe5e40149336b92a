"""Making a local file fetchable from outside: a media server on loopback, and a tunnel to it."""

from .outlet import Outlet
from .served_files import Served

__all__ = ["Outlet", "Served"]
