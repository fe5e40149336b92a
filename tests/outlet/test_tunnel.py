"""The kinds of tunnels that need no agent, and the choice between kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from postflow.errors import Fatal
from postflow.outlet.loopback import LoopbackProvider
from postflow.outlet.ngrok import NgrokProvider
from postflow.outlet.static import StaticProvider
from postflow.outlet.tunnel import PROVIDERS, provider

LOCAL = "http://127.0.0.1:8123"


def test_each_kind_is_found_by_its_name(tmp_path: Path) -> None:
    settings = {
        "ngrok": {"state_dir": tmp_path},
        "static": {"base_url": "https://media.studio.example"},
        "loopback": {},
    }
    kinds = {kind: type(provider(kind, **settings[kind])) for kind in PROVIDERS}
    assert kinds == {
        "ngrok": NgrokProvider,
        "static": StaticProvider,
        "loopback": LoopbackProvider,
    }


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(Fatal) as unknown:
        provider("carrier pigeon")
    assert unknown.value.code == "tunnel.unknown"
    assert "ngrok, static, loopback" in unknown.value.hint


async def test_loopback_leads_to_the_server_itself() -> None:
    async with LoopbackProvider().open(LOCAL + "/") as tunnel:
        assert tunnel.public_url.get_secret_value() == LOCAL
        await tunnel.check()
        await tunnel.close()


async def test_static_address_is_the_one_given() -> None:
    static = provider("static", base_url="https://media.studio.example/out/")
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
        provider("static", base_url=address)
    assert "hidden-key" not in str(refused.value)
    assert "a public address" in str(refused.value)


def test_settings_do_not_show_what_they_hold(tmp_path: Path) -> None:
    static = provider("static", base_url="https://media.studio.example")
    ngrok = provider("ngrok", state_dir=tmp_path, authtoken="hidden-token")
    assert "media.studio" not in repr(static)
    assert "hidden-token" not in repr(ngrok)
