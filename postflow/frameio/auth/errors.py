"""Why a sign-in fails, in words a person can act on. Never quotes a token, code or secret."""

from __future__ import annotations

import re

import httpx

from postflow.errors import Fatal, PostFlowError, Refusal, Retry
from postflow.language import N_

REFUSED = Refusal(
    Fatal, "adobe.refused", "Adobe refused the sign-in ({word}).", "Run `postflow check`."
)
# By the `error` of an answer, or of a redirect.
BY_ERROR = {
    "invalid_grant": Refusal(
        Fatal,
        "adobe.signed_out",
        "Adobe no longer accepts the stored sign-in.",
        "Run `postflow login`.",
    ),
    "invalid_client": Refusal(
        Fatal,
        "adobe.client_refused",
        "Adobe does not know this client id and secret.",
        "Compare client_id and client_secret with the credential's page at "
        "https://developer.adobe.com/console.",
    ),
    "unauthorized_client": Refusal(
        Fatal,
        "adobe.client_refused",
        "This Adobe credential may not sign in this way.",
        "Compare the kind of credential (web, native, service) with the credential's page at "
        "https://developer.adobe.com/console.",
    ),
    "invalid_scope": Refusal(
        Fatal,
        "adobe.scope_refused",
        "Adobe does not grant the scopes asked for.",
        "Add the Frame.io API to the project, and compare the scopes with the credential's page at "
        "https://developer.adobe.com/console.",
    ),
    "access_denied": Refusal(
        Fatal,
        "adobe.access_denied",
        "The sign-in was refused.",
        "Sign in with an account that is a beta user of the credential, and allow access.",
    ),
}
BUSY = Refusal(
    Retry,
    "adobe.busy",
    "Adobe's sign-in service is not available ({status}).",
    "It is tried again by itself; see https://status.adobe.com if it lasts.",
)
UNREACHABLE = Refusal(
    Retry,
    "adobe.unreachable",
    "Adobe's sign-in service at {url} cannot be reached.",
    "Check this machine's network, proxy and firewall.",
)
UNREADABLE = Refusal(
    Retry,
    "adobe.unreadable",
    "Adobe's sign-in service answered something that is not its own.",
    "A proxy or captive portal may stand between; check this machine's network.",
)

NO_CODE = Refusal(
    Fatal,
    "adobe.no_code",
    "There is no sign-in code in this address.",
    "Paste the whole address that the browser ended at. If it is another than {redirect_uri}, "
    "register that as a redirect URI of the Adobe credential: Adobe goes to the default one "
    "without saying so.",
)
STATE_MISMATCH = Refusal(
    Fatal,
    "adobe.state_mismatch",
    "This address belongs to another sign-in.",
    "Run `postflow login` again, and use the address of the newest attempt.",
)
CODE_REFUSED = Refusal(
    Fatal,
    "adobe.code_refused",
    "Adobe does not accept the code of this sign-in.",
    "It works once and for a few minutes only: run `postflow login` again.",
)
NOT_LOCAL = Refusal(
    Fatal,
    "adobe.redirect_not_local",
    "PostFlow cannot listen at {redirect_uri}.",
    "Use a redirect URI like https://localhost:8914/callback, or paste the address.",
)
PORT_TAKEN = Refusal(
    Fatal,
    "adobe.port_taken",
    "Port {port} on this machine is taken ({reason}).",
    "Close what uses it, or choose another redirect URI and register it.",
)
LOGIN_TIMEOUT = Refusal(
    Fatal,
    "adobe.login_timeout",
    "Adobe did not send the browser back to {redirect_uri} in time.",
    "If the browser ended elsewhere, register this redirect URI for the credential, or paste the "
    "address that it shows: `postflow login --paste`.",
)

NOT_SIGNED_IN = Refusal(
    Fatal, "adobe.not_signed_in", "Nobody has signed in with Adobe yet.", "Run `postflow login`."
)
NOT_RENEWABLE = Refusal(
    Fatal,
    "adobe.signed_out",
    "The Adobe sign-in has ended, and Adobe gave no token to renew it with.",
    "Run `postflow login`. To stay signed in, the credential needs offline_access.",
)
ENDED = Refusal(
    Fatal, "adobe.signed_out", "The Adobe sign-in ended on {when}.", "Run `postflow login`."
)
ENDS = Refusal(
    Retry,
    "adobe.sign_in_ends",
    "The Adobe sign-in ends on {when}.",
    "Run `postflow login` before then. While PostFlow runs it renews the sign-in each day, if "
    "Adobe can be reached.",
)
ENDS_FOR_GOOD = Refusal(
    Retry,
    "adobe.sign_in_ends",
    "The Adobe sign-in ends on {when}: Adobe gave no token to renew it with.",
    "Run `postflow login` before then. To stay signed in, the credential needs offline_access.",
)
TOKENS_UNAVAILABLE = Refusal(
    Retry,
    "adobe.tokens_unavailable",
    "The stored Adobe tokens cannot be read ({kind}).",
    "Check that the Prefect server, or the token file, can be reached.",
)
TOKENS_NOT_SAVED = Refusal(
    Retry,
    "adobe.tokens_not_saved",
    "The renewed Adobe tokens could not be stored ({kind}).",
    "Make room on the disk, and check that the Prefect server can be reached.",
)


def explained(error: str) -> PostFlowError:
    """The failure behind an OAuth `error` value."""
    word = re.sub(r"[^\w.-]", "", error)[:60] or N_("no reason given")
    return BY_ERROR.get(error, REFUSED)(word=word)


def refusal(answer: httpx.Response) -> PostFlowError:
    """The failure behind an answer that is not a success."""
    if answer.status_code == 429 or answer.status_code >= 500:
        return BUSY(status=answer.status_code)
    word = error_of(answer)
    return explained(word) if word else UNREADABLE()


def error_of(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""
