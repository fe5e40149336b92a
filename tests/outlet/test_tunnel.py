"""The kinds of tunnels that need no agent."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from postflow.outlet.ngrok.provider import NgrokProvider
from postflow.outlet.tunnel import StaticProvider

LOCAL = "http://127.0.0.1:8123"


async def test_loopback_leads_to_the_server_itself() -> None:
    async with StaticProvider().open(LOCAL + "/") as tunnel:
        assert tunnel.public_url.get_secret_value() == LOCAL
        await tunnel.check()


async def test_static_address_is_the_one_given() -> None:
    static = StaticProvider(base_url=SecretStr("https://media.studio.example/out/"))
    async with static.open(LOCAL) as tunnel:
        assert tunnel.public_url.get_secret_value() == "https://media.studio.example/out"
        await tunnel.check()


@pytest.mark.parametrize(
    "address",
    [
        "media.studio.example",
        "ftp://media.studio.example",
        "https://",
        "https://media.studio.example/?key=hidden-key",
        "https://media.studio.example/#hidden-key",
    ],
)
def test_address_that_cannot_be_a_base_is_refused_unshown(address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        StaticProvider(base_url=SecretStr(address))
    assert "hidden-key" not in str(refused.value)
    assert "a public address" in str(refused.value)


def test_settings_do_not_show_what_they_hold(tmp_path: Path) -> None:
    static = StaticProvider(base_url=SecretStr("https://media.studio.example"))
    ngrok = NgrokProvider(state_dir=tmp_path, authtoken=SecretStr("hidden-token"))
    assert "media.studio" not in repr(static)
    assert "hidden-token" not in repr(ngrok)
