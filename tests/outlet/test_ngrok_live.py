"""The same through ngrok itself, for whoever has an account: what the stand-in must agree with."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from postflow.outlet.ngrok.provider import NgrokProvider
from postflow.outlet.probe import probe

TOKEN = os.environ.get("POSTFLOW_LIVE_NGROK_AUTHTOKEN")


@pytest.mark.skipif(TOKEN is None, reason="needs POSTFLOW_LIVE_NGROK_AUTHTOKEN and the internet")
async def test_real_tunnel_carries_a_file(files_url: str, tmp_path: Path) -> None:
    (tmp_path / "files" / "clip.mov").write_bytes(b"0123456789" * 1000)
    provider = NgrokProvider(authtoken=SecretStr(TOKEN or ""), state_dir=tmp_path / "state")
    async with provider.open(files_url) as tunnel:
        url = SecretStr(f"{tunnel.public_url.get_secret_value()}/clip.mov")
        await probe(url, 10_000)
        await tunnel.check()
        async with aiohttp.ClientSession() as client, client.get(url.get_secret_value()) as got:
            assert await got.read() == b"0123456789" * 1000
    assert [path for path in (tmp_path / "state").rglob("*") if path.is_file()] == []
