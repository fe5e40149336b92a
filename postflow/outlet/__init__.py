"""Making a local file fetchable from outside: a media server on loopback, and a tunnel to it."""

from postflow.outlet.outlet import Outlet
from postflow.outlet.served import Served
from postflow.outlet.served_file import Limits

__all__ = ["Limits", "Outlet", "Served"]
