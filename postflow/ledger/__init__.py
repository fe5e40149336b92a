"""The durable memory of deliveries: what was seen, what was begun, what the world answered."""

from .batches import Batch, BatchClip
from .ledger import AsyncLedger, Ledger, open_ledger
from .models import (
    Announcement,
    Claimed,
    ClaimRef,
    Clip,
    Message,
    Observation,
    Root,
    Step,
    StoredPart,
    Target,
    Unannounced,
)
from .opening import default_path
from .registry import Namesake, Registered
from .retrying import NamedClip
from .shared_clips import ShareLink, ShareWish
from .shares import ShareWork
from .states import (
    DELIVERED,
    AttemptOutcome,
    IllegalMove,
    MessageState,
    ObservationState,
    Phase,
    StaleClaim,
    State,
)

__all__ = [
    "DELIVERED",
    "Announcement",
    "AsyncLedger",
    "AttemptOutcome",
    "Batch",
    "BatchClip",
    "ClaimRef",
    "Claimed",
    "Clip",
    "IllegalMove",
    "Ledger",
    "Message",
    "MessageState",
    "NamedClip",
    "Namesake",
    "Observation",
    "ObservationState",
    "Phase",
    "Registered",
    "Root",
    "ShareLink",
    "ShareWish",
    "ShareWork",
    "StaleClaim",
    "State",
    "Step",
    "StoredPart",
    "Target",
    "Unannounced",
    "default_path",
    "open_ledger",
]
