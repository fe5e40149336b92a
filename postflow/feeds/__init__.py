"""What is told to others than Discord: alarms for people, and a hook for programs."""

from .alarms import Alarm
from .hook import Hook, read_event
from .relay import FeedRelay, Sink

__all__ = ["Alarm", "FeedRelay", "Hook", "Sink", "read_event"]
