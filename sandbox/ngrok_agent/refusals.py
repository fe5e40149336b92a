"""How ngrok words its refusals, and at which of the three moments it makes them."""

from __future__ import annotations

TEXTS = {
    102: "Your account has been suspended.",
    105: "The authtoken you specified does not look like a proper ngrok authtoken.\n"
    "Your authtoken: {token}",
    107: "The authtoken you specified is properly formed, but it is invalid.\n"
    "Your authtoken: {token}",
    108: "Your account is limited to 3 simultaneous ngrok agent sessions.",
    121: "Your ngrok-agent version is too old.",
    324: "Your account may not run more than 3 endpoints over a single ngrok agent session.",
    334: "The endpoint '{url}' is already online.",
    725: "The account has exceeded its monthly bandwidth limit.",
    4018: "Usage of ngrok requires a verified account and authtoken.",
}

AT_CONNECT = frozenset({313, 314, 315, 324, 334, 15002, 15013})
AT_EDGE = frozenset({702, 715, 725, 726, 727, 734})


def wording(code: int, *, token: str = "", url: str = "") -> str:
    """The text with its code at the end, as it stands in logs and bodies."""
    text = TEXTS.get(code, "The ngrok service refused.").format(token=token, url=url)
    return f"{text}\r\n\r\nERR_NGROK_{code}\r\n"


def verdict(token: str | None, accepted: str | None) -> int | None:
    """The code that refuses `token`, or None when it is welcome."""
    if not token:
        return 4018
    if accepted is None or token == accepted:
        return None
    well_formed = len(token) >= 20 and token.replace("_", "").isalnum()
    return 107 if well_formed else 105
