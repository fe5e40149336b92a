"""The flows, on the server of `postflow up` while that runs."""

from contextlib import suppress

from postflow.blocks.base import find_prefect
from postflow.errors import Fatal

with suppress(Fatal):  # the studio that cannot be opened tells of it
    find_prefect()
