"""How this world behaves where the real one is not known, or where a test wants it otherwise."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .fetching import FetchStyle

DAY = 24 * 3600
# Read once, when a world begins.
FIXED = frozenset({"rate_limits", "rate_scale", "keep_bytes", "project_name", "discord_channel"})


class Switches(BaseModel):
    """Every switch, its default and what it stands for. Times in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fetch_style: FetchStyle = Field("get", description="How remote_upload reads the source URL.")
    fetch_attempts: int = Field(3, ge=1, description="Tries of one request before it fails.")
    fetch_pause: float = Field(0.1, ge=0, description="Wait between two tries.")
    fetch_idle_timeout: float = Field(30, gt=0, description="Longest silence of the source.")
    fetch_rate: int = Field(4 << 20, gt=0, description="Bytes a second of fetch_style slow.")
    fetch_user_agent: str = Field("sandbox-fetcher/1.0", description="User agent of the fetcher.")
    fetch_delay: float = Field(0, ge=0, description="Wait between the 202 and the first request.")
    fail_seconds: float = Field(
        0, ge=0, description="From the last try of a fetch to upload_failed."
    )
    redirects: Literal["followed", "refused"] = Field(
        "followed", description="What the fetcher does where the source answers with a redirect."
    )
    without_length: Literal["taken", "refused"] = Field(
        "taken", description="What the fetcher does with a body without Content-Length."
    )
    finish_seconds: float = Field(0, ge=0, description="From the last byte in to upload_complete.")
    probe: Literal["none", "head", "get"] = Field(
        "none", description="Whether, and how, remote_upload asks for the size before its answer."
    )
    size_limit: int = Field(50 * 10**9, gt=0, description="Largest remote_upload.")
    storage_limit: int = Field(
        0, ge=0, description="Bytes the account may hold; what would come on top is 403. 0: no end."
    )
    too_big: Literal["fail", "refuse"] = Field(
        "fail", description="Whether a file over size_limit ends as upload_failed or as 422."
    )
    transcodes: bool = Field(True, description="False: files stay at status uploaded.")
    transcode_seconds: float = Field(0.05, ge=0, description="From uploaded to transcoded.")
    media_type_at: Literal["upload", "creation"] = Field(
        "upload", description="When media_type stops being null: two generations of the API."
    )
    duplicate_files: Literal["allow", "refuse", "rename"] = Field(
        "allow", description="What a second file of one name meets: nothing, 409, or ' (1)'."
    )
    duplicate_folders: Literal["allow", "refuse", "rename"] = Field(
        "allow", description="The same of folders."
    )
    odd_names: Literal["keep", "replace", "refuse"] = Field(
        "keep", description='What a name with one of / : * ? " < > | or \\ meets: nothing, _, 422.'
    )
    stack_name: Literal["head", "arrival", "creation"] = Field(
        "head",
        description="Whose name a version stack has: its newest version's, also once that is "
        "renamed; the one its newest version came with; or the one it was made with.",
    )
    stack_of_one: Literal["dissolve", "keep"] = Field(
        "dissolve", description="What a version stack with one version left becomes."
    )
    share_passphrase: Literal["optional", "required"] = Field(
        "optional", description="Whether a share without a passphrase is given one."
    )
    share_again: Literal["ignore", "refuse"] = Field(
        "ignore", description="What adding an asset that is in the share meets: nothing, or 409."
    )
    keep_bytes: bool = Field(True, description="False: stored bytes are hashed, then dropped.")

    part_bytes: int = Field(20 << 20, gt=0, description="Parts of local_upload are at most this.")
    part_rule: Literal["equal", "fixed"] = Field(
        "equal", description="Whether parts are equal but for a byte, or full but for the last."
    )
    part_url_seconds: int = Field(DAY, ge=0, description="How long a part's URL is valid.")
    signed_content_type: Literal["always", "guessed", "never"] = Field(
        "always", description="Whether, and as what, a part's signature covers Content-Type."
    )
    part_etag: Literal["md5", "other", "none"] = Field(
        "md5", description="What the answer to a part says of it: its MD5, something else, nothing."
    )

    signed_acl: Literal["always", "never"] = Field(
        "always", description="Whether a part's signature covers x-amz-acl."
    )

    share_policy: Literal["open", "passphrase", "expiration", "forbidden"] = Field(
        "open", description="What a public share needs, or 403."
    )
    share_assets: Literal["hundred", "ten"] = Field(
        "hundred", description="How many assets a share may be made with."
    )
    audit_log: Literal["readable", "forbidden"] = Field(
        "forbidden", description="Whether the account's plan lets the audit log be read."
    )

    rate_limits: bool = Field(True, description="False: the headers stay, nobody gets 429.")
    rate_scale: float = Field(1, gt=0, description="Windows are this many times shorter.")
    rate_window: Literal["ms", "s", "absent"] = Field(
        "ms", description="Unit of x-ratelimit-window, or no such headers at all."
    )
    page_sizes: Literal["documented", "hundred", "ignored"] = Field(
        "documented",
        description="Largest page_size: 500 for what is in folders, 100, or no matter.",
    )
    include_list: Literal["commas", "refused"] = Field(
        "commas", description="Whether `include` takes several values."
    )
    type_list: Literal["commas", "refused"] = Field(
        "commas", description="Whether `type` of a folder's children takes several values."
    )
    contract: bool = Field(
        True, description="Whether an answer that breaks Frame.io's contract is a 500 instead."
    )
    strict_query: bool = Field(True, description="Whether an unknown query parameter is 422.")
    gateway_body: Literal["html", "json"] = Field(
        "html", description="What a 502, 503 or 504 carries."
    )
    latency: float = Field(0, ge=0, description="Added to each API answer.")

    token_seconds: int = Field(86399, ge=1, description="Life of an access token.")
    refresh_seconds: int = Field(14 * DAY, ge=0, description="Life of a refresh token.")
    refresh_rotation: Literal["strict", "lenient"] = Field(
        "strict", description="Whether a used refresh token is dead at once."
    )
    refresh_for_public: bool = Field(True, description="Whether PKCE clients get refresh tokens.")
    offline_access: bool = Field(True, description="Whether the credentials may have them at all.")
    code_seconds: int = Field(300, ge=0, description="Life of an authorization code.")
    consent: Literal["given", "denied", "signed_out"] = Field(
        "given", description="What the person at the sign-in page does."
    )

    webhook_attempts: int = Field(5, ge=1, description="Deliveries of one event before it is lost.")
    webhook_backoff: float = Field(15, ge=0, description="First wait; it doubles, with jitter.")
    webhook_timeout: float = Field(5, gt=0, description="A slower receiver counts as failed.")

    discord_channel: Literal["text", "forum", "forum_with_tags"] = Field(
        "text", description="What the Discord webhook leads to; the last wants a tag on each post."
    )
    discord_attachment_limit: int = Field(
        10 << 20, gt=0, description="Bytes that one file of a Discord message may have."
    )
    discord_lost_attachment: Literal["refuse", "ignore"] = Field(
        "refuse", description="What an embed meets that shows a file which is not attached."
    )

    project_name: str = Field("UNDLM", min_length=1, description="The project there at the start.")
    view_base: str = Field("", description="Start of every view_url; empty: the sandbox itself.")

    def turned(self, **settings: Any) -> Switches:
        """The same with other settings. Raises ValueError where one is none."""
        return type(self).model_validate({**self.model_dump(), **settings})

    def with_setting(self, setting: str) -> Switches:
        """The same with one `name=value` changed. Raises ValueError with a plain reason."""
        name, equals, value = setting.partition("=")
        if not equals or name not in type(self).model_fields:
            known = ", ".join(sorted(type(self).model_fields))
            raise ValueError(f"{setting!r} is no switch; there are {known}.")
        return self.turned(**{name: value})
