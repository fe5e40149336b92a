"""`postflow login`: sign in with Adobe in the browser, once."""

from __future__ import annotations

import threading
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import Fatal
from postflow.frameio.auth.callback import wait_for_browser
from postflow.frameio.auth.ims import AdobeIms, ServiceCredential
from postflow.frameio.auth.login import LoginAttempt, begin_login
from postflow.frameio.auth.tokens import Tokens
from postflow.service.console import err, out
from postflow.service.engine import prepare_prefect

from .app import app
from .options import StudioOption
from .resume import resume
from .running import run

if TYPE_CHECKING:
    from postflow.blocks.adobe import AdobeTokens
    from postflow.blocks.studio import Studio


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
    resume(run(_block_of(studio)), studio)
    if tokens.refresh_token is None:
        err.print(
            "[yellow]![/yellow] Adobe sent no refresh token, so this sign-in ends in a day. "
            "See docs/adobe.md on offline_access."
        )


async def _block_of(studio: str) -> Studio:
    from postflow.blocks.studio import load_studio

    return await load_studio(studio)


async def _in_browser(studio: str) -> Tokens:
    block, ims, attempt = await _begin(studio)
    tokens = await wait_for_browser(attempt, ims, show=_show)
    await block.get_token_source().adopt(tokens)
    return tokens


def _by_hand(studio: str) -> Tokens:
    """The prompt stands outside of any loop: a thread that reads cannot be cancelled."""
    block, ims, attempt = run(_begin(studio))
    err.print("Open this address, sign in, and paste the address that the browser ends at:")
    err.print(attempt.url, markup=False)
    pasted = typer.prompt("Address", err=True, hide_input=True)

    async def finish() -> Tokens:
        tokens = await attempt.finish(ims, attempt.code_from(pasted))
        await block.get_token_source().adopt(tokens)
        return tokens

    return run(finish())


async def _begin(studio: str) -> tuple[AdobeTokens, AdobeIms, LoginAttempt]:
    block = (await _block_of(studio)).adobe
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
