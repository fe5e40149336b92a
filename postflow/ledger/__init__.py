"""The durable memory of deliveries: what was seen, what was begun, what the world answered."""

from .batches import Batch, BatchClip
from .leases import Recovered
from .ledger import AsyncLedger, Ledger, open_ledger
from .models import (
    Announcement,
    Attempt,
    Claimed,
    ClaimRef,
    Clip,
    Message,
    NamedClip,
    Observation,
    Observed,
    Registered,
    Root,
    Sibling,
    Step,
    Target,
    Unannounced,
)
from .opening import default_path
from .registry import Namesake
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
    "Attempt",
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
    "Observed",
    "Phase",
    "Recovered",
    "Registered",
    "Root",
    "Sibling",
    "StaleClaim",
    "State",
    "Step",
    "Target",
    "Unannounced",
    "default_path",
    "open_ledger",
]
