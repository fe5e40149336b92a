"""The durable memory of deliveries: what was seen, what was begun, what the world answered."""

from postflow.ledger.entries import (
    Attempt,
    Batch,
    BatchClip,
    Claimed,
    Clip,
    Draft,
    Message,
    Observation,
    Observed,
    Recovered,
    Registered,
    Root,
    StackMate,
    Step,
    Target,
    Untold,
)
from postflow.ledger.ledger import Ledger
from postflow.ledger.opening import default_path
from postflow.ledger.states import (
    DELIVERED,
    AttemptOutcome,
    IllegalMove,
    MessageState,
    ObservationState,
    Phase,
    StaleClaim,
    State,
)
from postflow.ledger.threaded import AsyncLedger, open_ledger

__all__ = [
    "DELIVERED",
    "AsyncLedger",
    "Attempt",
    "AttemptOutcome",
    "Batch",
    "BatchClip",
    "Claimed",
    "Clip",
    "Draft",
    "IllegalMove",
    "Ledger",
    "Message",
    "MessageState",
    "Observation",
    "ObservationState",
    "Observed",
    "Phase",
    "Recovered",
    "Registered",
    "Root",
    "StackMate",
    "StaleClaim",
    "State",
    "Step",
    "Target",
    "Untold",
    "default_path",
    "open_ledger",
]
