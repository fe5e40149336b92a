"""A person's sign-in with Adobe: renewed while PostFlow runs; people hear before it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from postflow.errors import PostFlowError, Retry
from postflow.language import N_, told
from postflow.stop import in_background

from .errors import ENDED, ENDS, ENDS_FOR_GOOD, NOT_SIGNED_IN
from .renewal import TokenSource
from .tokens import Tokens, now

log = logging.getLogger(__name__)

SOON = timedelta(days=4)
HOUR = 3600.0
ENDS_SOON, FAILS = N_("The Adobe sign-in ends soon"), N_("The Adobe sign-in fails")

Notify = Callable[[str, str], None]


def ending(tokens: Tokens | None) -> PostFlowError | None:
    """Why a person has to sign in, now or within days; None while nobody has to."""
    if tokens is None:
        return NOT_SIGNED_IN()
    ends = tokens.ends_at
    if ends is None or ends > now() + SOON:
        return None
    when = f"{ends.astimezone():%Y-%m-%d %H:%M}"
    if ends <= now():
        return ENDED(when=when)
    return ENDS_FOR_GOOD(when=when) if tokens.refresh_token is None else ENDS(when=when)


async def renew_if_due(source: TokenSource) -> PostFlowError | None:
    """Renew the sign-in if its access token has aged; why a person has to sign in, if so.

    Adobe's refresh tokens die when they are not used for two weeks, access tokens after a day: an
    idle studio that asks for one now and then never loses its sign-in.
    """
    if source.credential.is_service:
        return None
    try:
        await source.token()
    except Retry as error:
        log.warning("The Adobe sign-in could not be looked at: %s", error)
    except PostFlowError as refused:
        return refused
    return await why_to_sign_in(source)


async def why_to_sign_in(source: TokenSource) -> PostFlowError | None:
    """Why a person has to sign in, or will have to soon. Renews nothing."""
    if source.credential.is_service:
        return None
    try:
        return ending(await source.known())
    except Retry:
        return None  # where the store is away, nobody knows
    except PostFlowError as unreadable:
        return unreadable


def notice_of(why: PostFlowError) -> tuple[str, str]:
    """A title and a text. That it ends is the same each time, that it fails is so of a day."""
    text = " ".join(why.told)
    if why.code == ENDS.code:
        return told(ENDS_SOON), text
    return told(FAILS), f"{now().astimezone():%Y-%m-%d}: {text}"


def keep_signed_in(
    source: TokenSource, notify: Notify, *, every: float = HOUR
) -> AbstractAsyncContextManager[None]:
    """Renew it now and then, in the background; `notify` of a title and a text, each once."""
    return in_background(_keep(source, notify, every), "adobe-sign-in")


async def _keep(source: TokenSource, notify: Notify, every: float) -> None:
    known = ""
    while True:
        try:
            why = await renew_if_due(source)
        except Exception:
            log.exception("A fault of our own, at the look at the Adobe sign-in:")
        else:
            if why and str(why) != known:
                log.warning("%s", why)
                notify(*notice_of(why))
            known = str(why or "")
        await asyncio.sleep(every)
