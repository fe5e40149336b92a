"""A person's sign-in with Adobe: kept while PostFlow runs, and told of before it would end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from postflow.errors import Fatal, PostFlowError, Retry

from .ims import ServiceCredential
from .renewal import TokenSource, signed_out
from .tokens import Tokens, now

log = logging.getLogger(__name__)

SOON = timedelta(days=4)
HOUR = 3600.0
ENDS, FAILS = "The Adobe sign-in ends soon", "The Adobe sign-in fails"

Tell = Callable[[str, str], None]


def ending(tokens: Tokens | None) -> PostFlowError | None:
    """Why a person has to sign in, now or within days; None while nobody has to."""
    if tokens is None:
        return signed_out(never=True)
    ends = tokens.ends_at
    if ends is None or ends > now() + SOON:
        return None
    when = f"{ends.astimezone():%Y-%m-%d %H:%M}"
    if ends <= now():
        return Fatal(
            f"The Adobe sign-in ended on {when}.",
            hint="Run `postflow login`.",
            code="adobe.signed_out",
        )
    if tokens.refresh_token is None:
        return Retry(
            f"The Adobe sign-in ends on {when}: Adobe gave no token to renew it with.",
            hint="Run `postflow login` before then. To stay signed in, the credential needs "
            "offline_access; see docs/adobe.md.",
            code="adobe.sign_in_ends",
        )
    return Retry(
        f"The Adobe sign-in ends on {when}.",
        hint="Run `postflow login` before then. While PostFlow runs it renews the sign-in each "
        "day, if Adobe can be reached.",
        code="adobe.sign_in_ends",
    )


async def look(source: TokenSource) -> PostFlowError | None:
    """Renew the sign-in if its access token has aged; what a person should know of it.

    Adobe's refresh tokens die when they are not used for two weeks, access tokens after a day: an
    idle studio that asks for one now and then never loses its sign-in.
    """
    if isinstance(source.credential, ServiceCredential):
        return None
    try:
        await source.token()
    except Retry as error:
        log.warning("The Adobe sign-in could not be looked at: %s", error)
    except PostFlowError as refused:
        return refused
    return await why_to_sign_in(source)


async def why_to_sign_in(source: TokenSource) -> PostFlowError | None:
    """The same without renewing anything."""
    if isinstance(source.credential, ServiceCredential):
        return None
    try:
        return ending(await source.known())
    except Retry:
        return None  # where the store is away, nobody knows
    except PostFlowError as unreadable:
        return unreadable


def told(why: PostFlowError) -> tuple[str, str]:
    """A title and a text. That it ends is the same each time, that it fails is so of a day."""
    text = f"{why.message} {why.hint}"
    if why.code == "adobe.sign_in_ends":
        return ENDS, text
    return FAILS, f"{now().astimezone():%Y-%m-%d}: {text}"


@asynccontextmanager
async def kept(source: TokenSource, tell: Tell, *, every: float = HOUR) -> AsyncIterator[None]:
    """Look now and then, in the background; `tell` a title and a text, each once."""
    keeping = asyncio.create_task(_keep(source, tell, every), name="adobe-sign-in")
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(source: TokenSource, tell: Tell, every: float) -> None:
    known = ""
    while True:
        try:
            why = await look(source)
        except Exception:
            log.exception("A fault of our own, at the look at the Adobe sign-in:")
        else:
            if why and str(why) != known:
                log.warning("%s", why)
                tell(*told(why))
            known = str(why or "")
        await asyncio.sleep(every)
