"""Blocks as Prefect's UI and its API see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prefect.blocks.core import Block
from pydantic import SecretStr

from postflow.blocks import (
    AdobeTokens,
    DiscordWebhook,
    FrameioAccount,
    Host,
    Studio,
    Tunnel,
    load_studio,
)
from postflow.blocks.adobe import BlockTokenStore
from postflow.cli.sandbox import sandbox_studio
from postflow.errors import Fatal
from postflow.frameio.auth.tokens import Tokens
from postflow.outlet.ngrok.provider import NgrokProvider
from postflow.sandbox import Sandbox
from postflow.servers import password
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import StudioFile
from tests.support.signed_in import SignedIn

BLOCKS = (Studio, Host, FrameioAccount, AdobeTokens, Tunnel, DiscordWebhook)
SECRETS = {
    "client_secret": "p8e-CanarySecret",
    "access_token": "eyCanaryAccess",
    "refresh_token": "eyCanaryRefresh",
    "authtoken": "2CanaryNgrok",
    "url": "https://discord.com/api/webhooks/1/CanaryWebhook",
    "ledger": "postgresql://postflow:CanaryPassword@localhost/postflow",
}


def canary_studio(name: str) -> StudioFile:
    signed_in = {key: SECRETS[key] for key in ("client_secret", "access_token", "refresh_token")}
    expires_at = datetime.now(UTC) + timedelta(days=1)
    return StudioFile.model_validate(
        {
            "studio": {"name": name, "ledger": SECRETS["ledger"]},
            "frameio": {"project": "UNDERLAMES", "workspace": "Main"},
            "adobe": {"client_id": "0123", "expires_at": expires_at, "scopes": ["openid"]}
            | signed_in,
            "tunnel": {"authtoken": SECRETS["authtoken"], "domain": "studio.ngrok.app"},
            "discord": {"url": SECRETS["url"]},
        }
    )


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_explains_itself_and_each_of_its_fields(block: type[Block]) -> None:
    assert block.get_description()
    assert block.__name__.lower() in (block.get_code_example() or "").lower()
    for name, field in block.model_fields.items():
        assert field.description, f"{block.__name__}.{name}"
        if field.is_required() and not isinstance(field.annotation, type(Block)):
            assert field.examples, f"{block.__name__}.{name}"


@pytest.mark.prefect
async def test_no_other_block_type_of_prefect_has_our_names(prefect_api: str) -> None:
    await save_studio(canary_studio("canary"))
    async with httpx.AsyncClient(base_url=prefect_api, auth=SignedIn(password())) as api:
        answer = await api.post("/block_types/filter", json={"limit": 200})
    ours = {block.get_block_type_slug(): block.get_block_type_name() for block in BLOCKS}
    assert all(slug.startswith("postflow-") for slug in ours)
    theirs = {each["slug"]: each["name"] for each in answer.json() if each["slug"] not in ours}
    assert theirs, "Prefect brings some of its own"
    assert not set(theirs.values()) & set(ours.values())
    registered = {each["slug"]: each["name"] for each in answer.json() if each["slug"] in ours}
    assert registered == ours


@pytest.mark.prefect
async def test_a_studio_that_nobody_made_is_missed_by_its_name(prefect_api: str) -> None:
    await save_studio(canary_studio("canary"))
    with pytest.raises(Fatal, match="'nowhere'") as missed:
        await load_studio("nowhere")
    assert missed.value.code == "studio.missing"
    assert all(f"postflow {way}" in missed.value.hint for way in ("setup", "up --join URL"))
    assert "canary" in missed.value.hint, "it names those that there are"


@pytest.mark.prefect
async def test_a_studio_loads_whole_and_shows_no_secret(prefect_api: str) -> None:
    await save_studio(canary_studio("canary"))

    studio = await load_studio("canary")

    assert studio.frameio.workspace == "Main"
    assert studio.tunnel is not None
    assert studio.tunnel.domain == "studio.ngrok.app"
    assert studio.discord is not None
    assert studio.adobe.scopes == ["openid"]
    held = [
        studio.adobe.client_secret,
        studio.adobe.access_token,
        studio.adobe.refresh_token,
        studio.tunnel.authtoken,
        studio.discord.url,
        studio.ledger,
    ]
    assert [secret and secret.get_secret_value() for secret in held] == list(SECRETS.values())
    async with httpx.AsyncClient(base_url=prefect_api, auth=SignedIn(password())) as api:
        documents = (await api.post("/block_documents/filter", json={"limit": 200})).text
    assert "studio.ngrok.app" in documents
    for seen in (repr(studio), str(studio), studio.model_dump_json(), documents):
        assert "****" in seen
        assert "Canary" not in seen


@pytest.mark.prefect
@pytest.mark.parametrize(
    ("slug", "changed", "says"),
    [
        ("tunnel", {"provider": "static", "base_url": "ftp://CanaryHost"}, "base_url"),
        ("studio", {"naming": {}}, "[frameio] is missing"),
    ],
)
async def test_a_block_broken_in_the_ui_is_told_by_its_field_and_not_its_value(
    prefect_api: str, slug: str, changed: dict[str, Any], says: str
) -> None:
    await save_studio(canary_studio("broken"))
    async with httpx.AsyncClient(base_url=prefect_api, auth=SignedIn(password())) as api:
        documents = (await api.post("/block_documents/filter", json={"limit": 200})).json()
        (block,) = [
            each
            for each in documents
            if each["name"].startswith("broken")
            and each["block_type"]["slug"] == f"postflow-{slug}"
        ]
        path = f"/block_documents/{block['id']}"
        (await api.patch(path, json={"data": changed})).raise_for_status()

    with pytest.raises(Fatal) as caught:
        await load_studio("broken")

    assert caught.value.code == "studio.invalid"
    assert says in caught.value.message
    assert "Canary" not in str(caught.value)


async def test_the_environment_wins_over_the_secrets_of_blocks(
    monkeypatch: pytest.MonkeyPatch, world: Sandbox
) -> None:
    adobe = AdobeTokens(client_id="0123", client_secret=SecretStr("of the block"))
    tunnel = Tunnel(authtoken=SecretStr("of the block"))
    discord = DiscordWebhook(url=SecretStr("https://discord.com/api/webhooks/1/gone"))
    monkeypatch.setenv("POSTFLOW_ADOBE_CLIENT_SECRET", "of the environment")
    monkeypatch.setenv("NGROK_AUTHTOKEN", "of the environment")
    monkeypatch.setenv("POSTFLOW_DISCORD_WEBHOOK_URL", world.discord_webhook_url)

    credential, provider = adobe.get_credential(), tunnel.get_client()

    assert credential.client_secret == SecretStr("of the environment")
    assert isinstance(provider, NgrokProvider)
    assert provider.authtoken == SecretStr("of the environment")
    async with discord.get_client() as client:
        assert await client.check() == "PostFlow sandbox"


async def test_the_environments_webhook_stands_for_one_that_the_studio_does_not_have(
    monkeypatch: pytest.MonkeyPatch, world: Sandbox
) -> None:
    async def saved(_name: str) -> Studio:
        adobe = AdobeTokens(client_id="0123")
        return Studio(
            frameio=FrameioAccount(project="UNDLM", adobe=adobe), tunnel=Tunnel(), discord=None
        )

    monkeypatch.setattr(Studio, "aload", saved)
    assert (await load_studio("main")).discord is None
    monkeypatch.setenv("POSTFLOW_DISCORD_WEBHOOK_URL", world.discord_webhook_url)
    discord = (await load_studio("main")).discord
    assert discord is not None
    async with discord.get_client() as client:
        assert await client.check() == "PostFlow sandbox"


def test_without_a_client_secret_the_credential_says_where_to_put_it() -> None:
    with pytest.raises(Fatal, match="POSTFLOW_ADOBE_CLIENT_SECRET") as caught:
        AdobeTokens(client_id="0123").get_credential()
    assert caught.value.code == "adobe.credential"


@pytest.mark.prefect
async def test_tokens_are_kept_in_the_block_of_their_own_studio(prefect_api: str) -> None:
    await save_studio(canary_studio("north"))
    await save_studio(canary_studio("south"))
    expires_at = datetime(2026, 12, 1, tzinfo=UTC)
    tokens = Tokens(
        access_token=SecretStr("eyNew"),
        refresh_token=SecretStr("eyNewer"),
        expires_at=expires_at,
        scopes=("openid", "email"),
    )
    north = (await load_studio("north")).adobe

    await BlockTokenStore(north.document_name).save(tokens)

    assert await BlockTokenStore("north-adobe").load() == tokens
    assert (await load_studio("north")).adobe.get_tokens() == tokens
    south = (await load_studio("south")).adobe.get_tokens()
    assert south is not None
    assert south.access_token.get_secret_value() == SECRETS["access_token"]


@pytest.mark.prefect
async def test_a_renewed_sign_in_is_in_the_block_and_survives_a_new_set_up(
    prefect_api: str, world: Sandbox
) -> None:
    old = world.tokens()
    tables = sandbox_studio(world.describe(), name="renewed")
    tables["adobe"]["kind"] = "web"
    signed_in = {
        "access_token": old["access_token"],
        "refresh_token": old["refresh_token"],
        "expires_at": datetime.now(UTC) - timedelta(seconds=1),
    }
    await save_studio(StudioFile.model_validate(tables | {"adobe": tables["adobe"] | signed_in}))
    adobe = (await load_studio("renewed")).adobe

    fresh = await adobe.get_client().token()

    kept = await BlockTokenStore("renewed-adobe").load()
    assert kept is not None
    assert kept.access_token.get_secret_value() == fresh != old["access_token"]
    assert kept.refresh_token is not None
    assert kept.refresh_token.get_secret_value() != old["refresh_token"]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {fresh}"}) as client:
        assert (await client.get(f"{world.url}/v4/me")).is_success

    await save_studio(StudioFile.model_validate(tables))

    assert await BlockTokenStore("renewed-adobe").load() == kept
    other = tables | {"adobe": {**tables["adobe"], "client_id": world.public_client_id}}
    await save_studio(StudioFile.model_validate(other))
    assert await BlockTokenStore("renewed-adobe").load() is None, "another credential"
