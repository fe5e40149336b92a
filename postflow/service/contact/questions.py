"""Which trial answers which question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from . import fetching, files, manners
from .visit import Visit

# The answer, or those to all of its questions; what is not among them, there was nothing to ask of.
Trial = Callable[[Visit], Awaitable[object]]

TRIALS: dict[Trial, tuple[str, ...]] = {
    manners.offline_access: ("offline_access",),
    manners.rate_window: ("rate_window",),
    manners.strict_query: ("strict_query",),
    manners.page_sizes: ("page_sizes",),
    manners.include_list: ("include_list",),
    manners.type_list: ("type_list",),
    manners.audit_log: ("audit_log",),
    manners.duplicate_folders: ("duplicate_folders",),
    manners.odd_names: ("odd_names",),
    manners.share_policy: ("share_policy",),
    manners.share_passphrase: ("share_passphrase",),
    manners.share_again: ("share_again",),
    manners.share_assets: ("share_assets",),
    files.duplicate_files: ("duplicate_files",),
    files.media_type_at: ("media_type_at",),
    files.long_parts: ("part_rule", "part_bytes"),
    files.sent: ("part_url_seconds", "signed_content_type", "signed_acl", "part_etag"),
    files.stack_story: ("stack_name", "stack_of_one"),
    files.transcoded: ("transcodes", "transcode_seconds"),
    fetching.fetched: (
        "probe",
        "fetch_style",
        "fetch_user_agent",
        "fetch_delay",
        "finish_seconds",
    ),
    fetching.redirects: ("redirects",),
    fetching.without_length: ("without_length",),
    fetching.sizes: ("too_big", "size_limit"),
    fetching.given_up: ("fetch_attempts", "fetch_pause", "fail_seconds"),
    fetching.fetch_idle_timeout: ("fetch_idle_timeout",),
}
TRIAL_OF = {key: trial for trial, keys in TRIALS.items() for key in keys}
# What takes long is under way while the rest is asked.
SLOW = (
    fetching.fetched,
    fetching.given_up,
    fetching.fetch_idle_timeout,
    files.sent,
    files.transcoded,
)
# Has the time of a slow one.
PATIENT = {*SLOW, fetching.redirects, fetching.without_length}
