"""What Prefect's UI edits. Whoever imports it talks to the server of `up` while that runs."""

from contextlib import suppress

from postflow.errors import Fatal

from .server import find_prefect

with suppress(Fatal):  # the studio that cannot be opened tells of it
    find_prefect()
