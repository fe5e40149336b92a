"""What the first run of a process has Prefect do, done before the forks that would do it anew."""

# ruff: noqa: F401
import anyio._backends._asyncio
import fastapi.encoders
import prefect.flow_engine
import prefect.task_engine
import prefect.utilities.visualization
import pydantic.color
import rich._emoji_codes
from pydantic import BaseModel

import postflow.flows.ingest


def complete(model: type[BaseModel]) -> None:
    """Build the validators that Prefect puts off to each model's first use."""
    for each in model.__subclasses__():
        if not each.__pydantic_complete__:
            each.model_rebuild(raise_errors=False)
        complete(each)


complete(BaseModel)
