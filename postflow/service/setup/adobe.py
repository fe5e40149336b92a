"""The Adobe credential, and the sign-in."""

from __future__ import annotations

import os
import threading
import webbrowser
from collections.abc import Callable

from postflow.blocks.adobe import AdobeTokens
from postflow.blocks.studio import Studio
from postflow.errors import Fatal, PostFlowError
from postflow.frameio import FrameioClient
from postflow.frameio.auth.ims import USER_SCOPES, AdobeIms
from postflow.frameio.auth.login import REDIRECT_URI, begin_login, wait_for_browser
from postflow.frameio.auth.renewal import TokenSource
from postflow.frameio.auth.tokens import FileTokenStore, Tokens
from postflow.frameio.client import FRAMEIO_URL
from postflow.language import N_, told
from postflow.service.console import waiting
from postflow.state import lock_dir

from .draft import ASIDE, Draft, folder
from .prompts import Desk, Run, not_empty

# What this machine can wait at for the browser.
HERE = ("https://localhost", "https://127.0.0.1")
# Then the address is pasted the next time.
NOT_BY_BROWSER = frozenset({"adobe.login_timeout", "adobe.port_taken"})
CONSOLE = "https://developer.adobe.com/console"
KINDS = (
    ("web", N_("OAuth Web App: you sign in once, in the browser. Right for most studios")),
    (
        "service",
        N_("OAuth Server-to-Server: nobody signs in. For accounts of Adobe's Admin Console"),
    ),
    ("native", N_("OAuth Native App: where no secret may be kept")),
)
IN_THE_CONSOLE = N_("""\
In Adobe's console, which opens in your browser ({console}):
  1. Create a project, or open one.
  2. Add API → Frame.io API. Without it Frame.io refuses every call.
  3. Choose {credential}.
{details}""")
DETAILS = {
    "web": N_("""\
  4. Default redirect URI:  {redirect}
     Redirect URI pattern:  {redirect}
  5. Scopes:  {scopes}
  6. While the credential is “in development”: add your own Adobe account as a beta user.
  7. Copy client ID and client secret from the credential's page."""),
    "native": N_("""\
  4. Scopes:  {scopes}
  5. While the credential is “in development”: add your own Adobe account as a beta user.
  6. Copy the client ID, and the redirect URI: it looks like adobe+…://adobeid/…."""),
    "service": N_("""\
  4. Choose the product profile of your Frame.io account.
  5. Copy client ID and client secret from the credential's page."""),
}
IT_OPENS = N_(
    "Your browser opens Adobe's sign-in. Should nothing open, go there yourself:\n{url}\n"
    "At its end the browser warns of our own certificate for localhost: let it pass. Should it end "
    "at an error of Adobe's, or at another address, nothing comes here: Ctrl-C."
)
WHERE_IT_ENDS = N_(
    "Sign in at this address, in any browser, and paste the address at which it ends, even if "
    "no page can be shown there:\n{url}"
)


def take_credential(desk: Desk) -> None:
    draft = desk.draft
    kind = desk.ask.choose(
        N_("Which kind of credential?"), KINDS, draft.get("adobe", "kind") or "web"
    )
    redirect = draft.get("adobe", "redirect_uri") or REDIRECT_URI
    details = N_(DETAILS[kind], redirect=redirect, scopes=", ".join(USER_SCOPES))
    label = dict(KINDS)[kind].partition(":")[0]
    desk.explain(N_(IN_THE_CONSOLE, console=CONSOLE, credential=label, details=details))
    _open(CONSOLE)
    values = {"kind": kind, "client_id": desk.ask.text(N_("Client ID:"), judge=not_empty)}
    if kind == "native":
        values["redirect_uri"] = desk.ask.text(N_("Redirect URI:"), judge=not_empty)
    else:
        values["client_secret"] = desk.ask.secret(N_("Client secret:"), judge=not_empty)
    draft.put("adobe", **values)
    draft.put(ASIDE, signed_in=None)
    store_of(draft).path.unlink(missing_ok=True)  # of another credential


def credential_said(draft: Draft) -> str | None:
    kind, known = draft.get("adobe", "kind") or "web", draft.get("adobe", "client_id")
    return told(N_("{kind}, client ID {known}", kind=kind, known=known)) if known else None


def take_sign_in(desk: Desk) -> None:
    """Proven by asking Frame.io who it is."""
    block = _block(desk.draft)
    if not block.get_credential().is_service:
        tokens = _signed_in(desk, block)
        desk.run(store_of(desk.draft).save(tokens))
    name = desk.run(_who(desk.draft))
    desk.draft.put(ASIDE, signed_in=name)
    desk.proven(N_("Frame.io knows you as {name}.", name=name))


def frameio_of(draft: Draft) -> FrameioClient:
    """The client of what is answered so far; open it with `async with`."""
    block = _block(draft)
    sign_in = TokenSource(
        block.get_credential(),
        store_of(draft),
        AdobeIms(block.ims_url),
        state_dir=folder(),
        name=draft.path.stem,
    )
    base = draft.get("frameio", "base_url") or FRAMEIO_URL
    return FrameioClient(sign_in, base_url=base, lock_dir=lock_dir())


async def hand_over(draft: Draft, studio: Studio) -> None:
    """The sign-in to the studio's block, unless that has a later one."""
    tokens = await store_of(draft).load()
    if tokens is None:
        return
    sign_in = studio.adobe.get_client()
    known = await sign_in.known()
    if known is None or known.expires_at < tokens.expires_at:
        await sign_in.adopt(tokens)
    await sign_in.aclose()


def _signed_in(desk: Desk, block: AdobeTokens) -> Tokens:
    by_browser = not desk.by_paste and _has_browser() and block.redirect_uri.startswith(HERE)

    def ask() -> str:
        return desk.ask.secret(N_("Address:"), judge=not_empty)

    try:
        return sign_in(block, None if by_browser else ask, say=desk.explain, run=desk.run)
    except PostFlowError as error:
        desk.by_paste = error.code in NOT_BY_BROWSER
        raise


def sign_in(
    block: AdobeTokens, ask: Callable[[], str] | None, *, say: Callable[[str], None], run: Run
) -> Tokens:
    """In this machine's browser; or in any, at whose end a person is asked for the address.

    Asked outside of any loop: a thread that reads cannot be cancelled.
    """
    ims = AdobeIms(block.ims_url)
    attempt = begin_login(ims, block.get_credential(), block.redirect_uri)
    run(ims.demand_welcome(attempt.url))
    if ask:
        say(N_(WHERE_IT_ENDS, url=attempt.url))
        return run(attempt.finish(ims, attempt.code_from(ask())))
    say(N_(IT_OPENS, url=attempt.url))
    with waiting(N_("Waiting for the browser, five minutes at most")):
        return run(wait_for_browser(attempt, ims, show=_open))


async def _who(draft: Draft) -> str:
    """Adobe says yes without the scope; Frame.io then says 401 to everything."""
    tokens = await store_of(draft).load()
    if tokens and tokens.scopes and "additional_info.roles" not in tokens.scopes:
        raise Fatal(
            N_("The sign-in lacks the scope additional_info.roles, so Frame.io answers 401."),
            hint=N_("Enable it on the credential in Adobe's console, then sign in again."),
            code="adobe.scopes",
        )
    async with frameio_of(draft) as frameio:
        me = await frameio.accounts.me()
    return f"{me.name} ({me.email})" if me.email else me.name


def _block(draft: Draft) -> AdobeTokens:
    return AdobeTokens(**draft.tables["adobe"])


def store_of(draft: Draft) -> FileTokenStore:
    return FileTokenStore(folder() / f"{draft.path.stem}.tokens")


def _has_browser() -> bool:
    if "SSH_CONNECTION" in os.environ and "DISPLAY" not in os.environ:
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _open(url: str) -> None:
    # A text browser returns only when it is left.
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
