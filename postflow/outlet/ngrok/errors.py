"""What ngrok's refusals mean, and what a person can do about them.

Codes and meanings: https://ngrok.com/docs/errors (as of August 2026).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from postflow.errors import Fatal, PostFlowError, Refusal, Retry
from postflow.language import N_

ERROR_CODE = re.compile(r"ERR_NGROK_(\d+)")

# ngrok notices a lost agent by its heartbeat after 15 s; before that its place is still taken.
HEARTBEAT_SECONDS = 15.0

_TOKEN = N_(
    "Copy the authtoken from https://dashboard.ngrok.com/get-started/your-authtoken"
    " into the set-up."
)
_ACCOUNT = N_("Sign in at https://dashboard.ngrok.com to see what is wrong with the account.")
_DOMAIN = N_(
    "Reserve the domain at https://dashboard.ngrok.com/domains, or leave the domain empty."
)
_UPGRADE = N_("Install the current ngrok agent from https://ngrok.com/download.")
_QUOTA = N_(
    "Choose a larger plan at https://dashboard.ngrok.com/billing, set a static tunnel of your own,"
    " or wait for the next month."
)
_SESSIONS = N_("Stop ngrok on other machines and in other programs, or choose a larger plan.")
_LOCAL = N_("PostFlow opens a new tunnel by itself; if this stays, look at this machine's load.")


class Meaning(NamedTuple):
    """`wait`: seconds after which it may be gone; None where time alone helps nobody."""

    message: str
    hint: str
    passing: bool = False
    wait: float | None = None


_MEANINGS: dict[tuple[int, ...], Meaning] = {
    (102, 103, 3208): Meaning("The ngrok account is suspended.", _ACCOUNT),
    (105,): Meaning("The ngrok authtoken is malformed.", _TOKEN),
    (107,): Meaning("The ngrok authtoken is not valid any more.", _TOKEN),
    (108, 348): Meaning(
        "The ngrok account already runs as many agents as its plan allows.",
        _SESSIONS,
        passing=True,
        wait=HEARTBEAT_SECONDS,
    ),
    (116,): Meaning("The ngrok authtoken may not be used here.", _TOKEN),
    (120, 121): Meaning("The ngrok agent is too old for the ngrok service.", _UPGRADE),
    (123,): Meaning("The ngrok account's e-mail address is not verified.", _ACCOUNT),
    (127,): Meaning("The ngrok account does not accept agents from this network.", _ACCOUNT),
    (313,): Meaning("The ngrok plan has no own domains.", _DOMAIN),
    (314, 315): Meaning("The ngrok plan does not allow this domain.", _DOMAIN),
    (324,): Meaning("The ngrok agent has as many endpoints as the plan allows.", _SESSIONS),
    (334,): Meaning(
        "The ngrok address is still in use, probably by an agent that has just ended.",
        "If it stays in use, stop the other machine or program that uses the same domain.",
        passing=True,
        wait=HEARTBEAT_SECONDS,
    ),
    (702, 715, 734): Meaning("ngrok's rate limit is reached.", _QUOTA, passing=True, wait=60.0),
    (725,): Meaning("The ngrok plan's bandwidth for this month is used up.", _QUOTA),
    (726,): Meaning("The ngrok plan's connections for this month are used up.", _QUOTA),
    (727,): Meaning("The ngrok plan's requests for this month are used up.", _QUOTA),
    (3004,): Meaning("ngrok could not read our media server's answer.", _LOCAL, passing=True),
    (3200,): Meaning("The ngrok address leads nowhere: its agent is gone.", _LOCAL, passing=True),
    (4018,): Meaning("ngrok wants an authtoken and got none.", _TOKEN),
    (6024,): Meaning(
        "ngrok's free plan puts a warning page in front of the file.",
        "Choose a paid plan at https://dashboard.ngrok.com/billing, or set a static tunnel.",
    ),
    (8012,): Meaning("ngrok does not reach our media server.", _LOCAL, passing=True),
    (8014,): Meaning("The ngrok account is blocked.", _ACCOUNT),
    (9009,): Meaning(
        "ngrok runs agents behind a proxy on paid plans only.",
        "Unset http_proxy for PostFlow, or choose a plan that allows it.",
    ),
    (15002, 15013): Meaning("The domain is not reserved for this ngrok account.", _DOMAIN),
}
# By ngrok's number; `tunnel.ngrok.<number>` is the error's code.
REFUSALS = {number: meaning for numbers, meaning in _MEANINGS.items() for number in numbers}

MISSING = Refusal(
    Fatal,
    "tunnel.ngrok.missing",
    "The ngrok agent is not {place}.",
    "Install it from https://ngrok.com/download (3.30 or later) and put it in PATH, or"
    " name it in the set-up or in POSTFLOW_NGROK_PATH.",
)
UNUSABLE = Refusal(
    Fatal,
    "tunnel.ngrok.unusable",
    "{path} does not answer as an ngrok agent does.",
    "Run it with --version in a shell; if that fails, install ngrok again.",
)
OLD = Refusal(
    Fatal,
    "tunnel.ngrok.old",
    "The ngrok agent is too old: {version}.",
    "Run `ngrok update`, or install 3.30 or later from https://ngrok.com/download.",
)
FORBIDDEN = Refusal(
    Fatal,
    "tunnel.ngrok.forbidden",
    "The ngrok agent may not be started.",
    "Check that the ngrok agent is executable for this user, and that PostFlow's state"
    " folder is not on a volume mounted noexec.",
)
# By AppArmor of a snap, by SELinux, Flatpak or a container.
CONFINED = Refusal(
    Fatal,
    "tunnel.ngrok.confined",
    "The ngrok agent may not read PostFlow's state folder ({folder}).",
    "An ngrok from a snap reads only below the home folder, and nothing hidden there."
    " Install ngrok from https://ngrok.com/download and name it in POSTFLOW_NGROK_PATH or the"
    " set-up, or let POSTFLOW_STATE_DIR name a folder that it may read, such as ~/postflow.",
)
_BEHIND_PROXY = N_("The ngrok agent does not get through the proxy: {detail}.")
_PROXY = N_(
    "Check HTTP_PROXY and HTTPS_PROXY of PostFlow's environment: a whole address, with user and"
    " password where the proxy wants them (http://user:password@proxy:3128). ngrok runs agents"
    " behind a proxy on paid plans only."
)
PROXY_AWAY = Refusal(Retry, "tunnel.ngrok.proxy", _BEHIND_PROXY, _PROXY, retry_after=2.0)
PROXY_REFUSES = Refusal(Fatal, "tunnel.ngrok.proxy", _BEHIND_PROXY, _PROXY)
PORT_TAKEN = Refusal(
    Retry,
    "tunnel.ngrok.port",
    "The port meant for the ngrok agent was taken by another program meanwhile.",
    "Try again.",
    retry_after=0.0,
)
NO_NETWORK = Refusal(
    Retry,
    "tunnel.ngrok.network",
    "The ngrok agent cannot reach its service: {detail}.",
    "Check the internet connection, and that the firewall or TLS inspection lets"
    " connect.ngrok-agent.com:443 through; `ngrok diagnose` tells more.",
    retry_after=2.0,
)
ENDED = Refusal(
    Retry,
    "tunnel.ngrok.ended",
    "The ngrok agent ended at its start: {detail}.",
    "Run `ngrok diagnose` on this machine to see what is wrong.",
)
SILENT = Refusal(
    Retry,
    "tunnel.ngrok.silent",
    "The ngrok agent said nothing for {seconds:.0f} seconds and was stopped.",
    "Check the internet connection and run `ngrok diagnose` on this machine.",
)
DEAD = Refusal(
    Retry, "tunnel.ngrok.dead", "The ngrok agent has ended, and the public address with it.", _LOCAL
)
LOST = Refusal(
    Retry,
    "tunnel.ngrok.lost",
    "The ngrok agent has had no connection to its service for {seconds:.0f} seconds.",
    "Check the internet connection.",
)
MOVED = Refusal(
    Retry,
    "tunnel.ngrok.moved",
    "The public address has changed, so links given out before lead nowhere.",
    "PostFlow asks again with the new address; a reserved ngrok domain avoids this.",
)
UNANSWERED = Refusal(
    Retry, "tunnel.ngrok.unanswered", "The ngrok agent runs but does not answer.", _LOCAL
)


def code_in(text: str) -> int | None:
    """The first ngrok error code in a log line, answer body or header."""
    match = ERROR_CODE.search(text)
    return int(match[1]) if match else None


def refused(number: int) -> PostFlowError:
    """The error for ERR_NGROK_<number>, to be raised; its code is `tunnel.ngrok.<number>`."""
    meaning = REFUSALS.get(number) or Meaning(
        N_("ngrok refused with its error {number}.", number=number),
        N_("See https://ngrok.com/docs/errors/err_ngrok_{number}.", number=number),
        passing=True,
    )
    code = f"tunnel.ngrok.{number}"
    if meaning.passing:
        return Retry(meaning.message, hint=meaning.hint, code=code, retry_after=meaning.wait)
    return Fatal(meaning.message, hint=meaning.hint, code=code)


def failed(detail: str) -> PostFlowError:
    """The error for what the agent said (free of secrets) when it gave no code."""
    if "address already in use" in detail:
        return PORT_TAKEN()
    if "proxy" in detail.lower():
        refuses = any(sign in detail.lower() for sign in ("407", "auth", "invalid"))
        return (PROXY_REFUSES if refuses else PROXY_AWAY)(detail=detail)
    if any(sign in detail for sign in ("dial tcp", "timeout", "x509", "no such host", "EOF")):
        return NO_NETWORK(detail=detail)
    return ENDED(detail=detail or N_("it gave no reason"))
