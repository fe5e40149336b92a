"""What is done beside a block."""

from __future__ import annotations

import logging

import pytest

from postflow.stop import in_background
from tests.support.wait import wait_until


async def test_a_fault_of_it_is_logged_at_once_and_the_block_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> None:
        raise ValueError("nobody foresaw this")

    async with in_background(fails(), "counting"):
        await wait_until(lambda: bool(caplog.records), description="the log")
    (record,) = caplog.records
    assert "counting" in record.getMessage()
    assert record.levelno == logging.ERROR
