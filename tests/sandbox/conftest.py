"""One caller for each test, and one clip."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from postflow.sandbox import Sandbox
from tests.sandbox.caller import Caller, Source, source_of

CLIP = random.Random(11).randbytes(200_000)


@pytest.fixture
def world() -> Iterator[Sandbox]:
    """A fresh world that refuses nobody for calling too often."""
    with Sandbox(rate_limits=False) as running:
        yield running


@pytest.fixture
def caller(world: Sandbox) -> Iterator[Caller]:
    with Caller(world) as caller:
        yield caller


@pytest.fixture
def source() -> Iterator[Source]:
    with source_of(CLIP) as source:
        yield source
