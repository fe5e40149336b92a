"""`postflow setup` and `login`: a studio's blocks, from a file, and its sign-in with Adobe."""

from __future__ import annotations

import asyncio
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import Fatal, PostFlowError
from postflow.service.console import err, first_contact, out, tell_if_open
from postflow.service.server import prepare_prefect

from .app import StudioOption, app, run, studio_named

if TYPE_CHECKING:
    from postflow.blocks.adobe import AdobeTokens
    from postflow.blocks.studio import Studio
    from postflow.frameio import Tokens
    from postflow.frameio.auth.ims import AdobeIms
    from postflow.frameio.auth.login import LoginAttempt


def resume(block: Studio, studio: str) -> None:
    """A ledger that is away costs no more than that they wait some minutes longer."""
    from postflow.discord.card import counted
    from postflow.ledger import Ledger, outages

    with suppress(PostFlowError), Ledger.open(block.ledger) as ledger:
        if many := outages.clear(ledger, studio):
            out.print(f"  {counted(many, 'clip')} that waited for this: tried again now.")


@app.command()
def setup(
    file: Annotated[
        Path,
        typer.Option("--file", "-f", help="The studio's TOML file; see docs/configuration.md."),
    ],
) -> None:
    """Create or replace a studio's blocks from a TOML file."""
    from postflow.service.studio_file import read_studio_file

    studio_file = read_studio_file(file)
    prepare_prefect()
    from postflow.service.exposure import folders_with_secrets
    from postflow.service.save_studio import save_studio

    tell_if_open(file, *folders_with_secrets())
    block = asyncio.run(save_studio(studio_file))
    name = studio_file.studio.name
    out.print(f"[green]✓[/green] Studio [bold]{name}[/bold] is saved in Prefect.")
    resume(block, name)
    option = "" if name == "main" else f" --studio {name}"
    if studio_file.adobe.get("kind", "web") != "service":
        out.print(f"  Next: postflow login{option}")
    out.print(f"  Then: postflow check{option}")
    out.print(first_contact(name))


@app.command()
def login(
    studio: StudioOption = "main",
    paste: Annotated[
        bool,
        typer.Option("--paste", help="Paste the address that the browser ends at, by hand."),
    ] = False,
) -> None:
    """Sign in with Adobe. The tokens are kept in Prefect and renew themselves."""
    prepare_prefect()
    tokens = _by_hand(studio) if paste else run(_in_browser(studio))
    out.print("[green]✓[/green] Signed in. Adobe granted: " + (", ".join(tokens.scopes) or "?"))
    resume(studio_named(studio), studio)
    if tokens.refresh_token is None:
        err.print(
            "[yellow]![/yellow] Adobe sent no refresh token, so this sign-in ends in a day. "
            "See docs/adobe.md on offline_access."
        )


async def _in_browser(studio: str) -> Tokens:
    from postflow.frameio.auth.login import wait_for_browser

    block, ims, attempt = await _begin(studio)
    tokens = await wait_for_browser(attempt, ims, show=_show)
    await block.get_client().adopt(tokens)
    return tokens


def _by_hand(studio: str) -> Tokens:
    """The prompt stands outside of any loop: a thread that reads cannot be cancelled."""
    block, ims, attempt = run(_begin(studio))
    err.print("Open this address, sign in, and paste the address that the browser ends at:")
    err.print(attempt.url, markup=False)
    pasted = typer.prompt("Address", err=True, hide_input=True)

    async def finish() -> Tokens:
        tokens = await attempt.finish(ims, attempt.code_from(pasted))
        await block.get_client().adopt(tokens)
        return tokens

    return run(finish())


async def _begin(studio: str) -> tuple[AdobeTokens, AdobeIms, LoginAttempt]:
    from postflow.blocks.studio import load_studio
    from postflow.frameio.auth.ims import AdobeIms, ServiceCredential
    from postflow.frameio.auth.login import begin_login

    block = (await load_studio(studio)).adobe
    credential = block.get_credential()
    if isinstance(credential, ServiceCredential):
        raise Fatal(
            "A server-to-server credential needs no sign-in.",
            hint="Run `postflow check` instead.",
            code="adobe.no_login_needed",
        )
    ims = AdobeIms(block.ims_url)
    return block, ims, begin_login(ims, credential, block.redirect_uri)


def _show(url: str) -> None:
    err.print("Opening the browser. Should nothing open, go to this address yourself:")
    err.print(url, markup=False)
    err.print("The browser will warn of our own certificate for localhost: let it pass.")
    # A text browser returns only when it is left, and has to be answered before.
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
