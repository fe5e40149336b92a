"""What is one host's own of a studio, and who changes it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from postflow.blocks import Host, Tunnel, load_studio
from postflow.blocks.host import own_name
from postflow.errors import Fatal
from postflow.outlet.tunnel import StaticProvider
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import StudioFile

LEDGER = "postgresql://postflow:CanaryPassword@localhost/postflow"


def of(folder: str, domain: str, **section: Any) -> StudioFile:
    return StudioFile.model_validate(
        {
            "studio": {"name": "shared", "ledger": LEDGER, "watching": {"folders": [folder]}}
            | section,
            "frameio": {"project": "UNDERLAMES"},
            "adobe": {"client_id": "0123"},
            "tunnel": {"authtoken": "2CanaryNgrok", "domain": domain},
        }
    )


async def seen(monkeypatch: pytest.MonkeyPatch, host: str) -> tuple[list[str], int, str | None]:
    monkeypatch.setenv("POSTFLOW_HOST", host)
    studio = await load_studio("shared")
    assert studio.tunnel is not None
    token = studio.tunnel.authtoken
    assert token is not None
    assert token.get_secret_value() == ("2CanaryOwn" if host == "c" else "2CanaryNgrok")
    folders = [str(each) for each in studio.watching.folders]
    return folders, studio.watching.at_once, studio.tunnel.domain


@pytest.mark.prefect
async def test_setup_on_one_host_replaces_no_part_of_another(
    prefect_api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"folders": ["/c"], "at_once": 2, "authtoken": "2CanaryOwn"}
    static = {"provider": "static", "base_url": "https://d.example", "port": 8000}
    monkeypatch.setenv("POSTFLOW_HOST", "a")
    await save_studio(of("/a", "a.ngrok.app", hosts={"c": own, "d": static}))
    monkeypatch.setenv("POSTFLOW_HOST", "b")
    await save_studio(of("/b", "b.ngrok.app"))

    assert await seen(monkeypatch, "a") == (["/a"], 4, "a.ngrok.app")
    assert await seen(monkeypatch, "b") == (["/b"], 4, "b.ngrok.app")
    assert await seen(monkeypatch, "c") == (["/c"], 2, "a.ngrok.app")
    monkeypatch.setenv("POSTFLOW_HOST", "d")
    own_tunnel = (await load_studio("shared")).tunnel
    assert own_tunnel
    assert own_tunnel.get_client() == StaticProvider(base_url=SecretStr("https://d.example"))
    assert own_tunnel.port == 8000
    assert await seen(monkeypatch, "new") == (["/b"], 4, "b.ngrok.app")

    monkeypatch.setenv("POSTFLOW_FOLDERS", "/x:/y")
    monkeypatch.setenv("POSTFLOW_DOMAIN", "x.ngrok.app")
    assert await seen(monkeypatch, "a") == (["/x", "/y"], 4, "x.ngrok.app")
    monkeypatch.setenv("POSTFLOW_AT_ONCE", "99")
    with pytest.raises(Fatal, match="at_once") as refused:
        await load_studio("shared")
    assert refused.value.code == "studio.invalid"


def test_no_two_hosts_of_any_studios_are_called_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_name("a-b", "c") != own_name("a", "b-c")
    for name in ("b--c", "-c", "c-"):
        monkeypatch.setenv("POSTFLOW_HOST", name)
        with pytest.raises(Fatal, match="no name for a host"):
            own_name("a")


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"ledger": None, "hosts": {"b": {}}}, "a ledger on PostgreSQL"),
        ({"hosts": {"b": {"folder": "/b"}}}, "folder is unknown; did you mean folders?"),
        ({"hosts": {"Render 2": {}}}, "hosts"),
        ({"hosts": {"b--c": {}}}, "hosts"),
        (
            {
                "watching": {"folders": ["/a"], "ignore_in": {"/a": ["_old"]}},
                "hosts": {"b": {"folders": ["/b"]}},
            },
            "ignore_in: /a is none of the folders",
        ),
    ],
)
async def test_a_hosts_part_that_cannot_be_right_is_refused(
    section: dict[str, Any], says: str
) -> None:
    with pytest.raises((Fatal, ValueError)) as refused:
        await save_studio(of("/a", "a.ngrok.app", **section))
    assert says in str(refused.value)
    assert "Canary" not in str(refused.value)


def test_an_address_is_a_secret_in_prefects_eyes_too() -> None:
    """One that it does not see is saved masked, and never read again."""
    for block in (Host, Tunnel):
        assert {"authtoken", "base_url"} <= set(block.model_json_schema()["secret_fields"])
