"""The ledger's tables. A `relpath` is NFC and relative to its root."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from .columns import AnyText, Instant, JsonText

SCHEMA_VERSION = 13


metadata = MetaData()

# SQLite only numbers a primary key by itself when it is called INTEGER
_Number = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

# One with a `host` is no watched folder: clips that a person hands over on that host lie in it.
roots = Table(
    "roots",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("studio", String, nullable=False),
    Column("mark", String, nullable=False),
    Column("path", AnyText, nullable=False),
    Column("host", String),
    Column("opened_at", Instant, nullable=False),
    Column("others", JsonText),
    UniqueConstraint("studio", "mark"),
)

# Wherever a host has found a root: one that is away there is looked for nowhere else.
mounts = Table(
    "mounts",
    metadata,
    Column("root_id", ForeignKey("roots.id"), primary_key=True),
    Column("path", AnyText, primary_key=True),
)

observations = Table(
    "observations",
    metadata,
    Column("root_id", ForeignKey("roots.id"), primary_key=True),
    Column("relpath", AnyText, primary_key=True),
    Column("disk_path", AnyText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("since", Instant, nullable=False),
    Column("waiting_since", Instant, nullable=False),
    Column("gone_at", Instant),
    Column("note", AnyText),
    Column("refused", Boolean, nullable=False, default=False),
    Column("wish", String),
    Index("observations_by_state", "root_id", "state"),
)

leases = Table(
    "leases",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("spared", Boolean, nullable=False),
    Column("machine", String, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("born", Float, nullable=False),
    Column("frameio_user", String),
)

hosts = Table(
    "hosts",
    metadata,
    Column("studio", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("part", String, primary_key=True),
    Column("machine", String, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("since", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("at_once", Integer, nullable=False),
    Column("ahead", Float, nullable=False),
    Column("folders", JsonText, nullable=False),
    Column("missing", JsonText, nullable=False),
    Column("scanned_at", Instant),
)

batches = Table(
    "batches",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("channel", String, nullable=False),
    Column("project", AnyText, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("announced_changes", Integer, nullable=False, default=0),
    Column("announced_at", Instant),
)

outages = Table(
    "outages",
    metadata,
    Column("studio", String, primary_key=True),
    Column("code", String, primary_key=True),
    Column("reason", AnyText, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("announced", Boolean, nullable=False, default=False),
)

clips = Table(
    "clips",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("root_id", ForeignKey("roots.id"), nullable=False),
    Column("studio", String, nullable=False),
    Column("relpath", AnyText, nullable=False),
    Column("disk_path", AnyText, nullable=False),
    Column("name", AnyText, nullable=False),
    Column("revision", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("doubt", AnyText),
    Column("state", String, nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("since", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("run_id", ForeignKey("leases.run_id")),
    Column("token", BigInteger, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("not_before", Instant),
    Column("reason", AnyText),
    Column("hint", AnyText),
    Column("code", String),
    Column("account_id", String),
    Column("project_id", String),
    Column("folder_id", String),
    Column("folder", AnyText),
    Column("stack", AnyText),
    Column("version_number", Integer),
    Column("version_key", String),
    Column("sequence", AnyText),
    Column("file_id", String),
    Column("view_url", AnyText),
    Column("stack_id", String),
    Column("batch_id", ForeignKey("batches.id")),
    Column("priority", Integer, nullable=False, default=0),
    Column("cancelled", String),
    UniqueConstraint("root_id", "relpath", "revision"),
    Index("clips_by_state", "state", "not_before"),
    Index("clips_by_age", "studio", "state", "since"),
    Index("clips_by_stack", "folder_id", "stack"),
    Index("clips_by_name", "name"),
    Index("clips_by_batch", "batch_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("clip_id", ForeignKey("clips.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("way", String, nullable=False),
    Column("exposure", String),
    Column("intended_at", Instant, nullable=False),
    Column("file_id", String),
    Column("outcome", String, nullable=False),
    Column("closed_at", Instant),
    Column("sent", BigInteger),
    Column("rate", Float),
    Column("sent_at", Instant),
)

# Of unfinished direct uploads only: the addresses are secrets, and good for nothing afterwards.
parts = Table(
    "parts",
    metadata,
    Column("clip_id", ForeignKey("clips.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("etag", AnyText),
    Column("mtime_ns", BigInteger),
)

history = Table(
    "history",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("clip_id", ForeignKey("clips.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("event", String, nullable=False),
    Column("was", String),
    Column("now", String, nullable=False),
    Column("run_id", String),
    Column("token", BigInteger, nullable=False),
    Column("detail", JsonText),
)

stacks = Table(
    "stacks",
    metadata,
    Column("folder_id", String, primary_key=True),
    Column("name", AnyText, primary_key=True),
    Column("stack_id", String),
    Column("clip_id", ForeignKey("clips.id")),
)

shares = Table(
    "shares",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("studio", String, nullable=False),
    Column("subject", AnyText, nullable=False),
    Column("name", AnyText, nullable=False),
    Column("account_id", String, nullable=False),
    Column("project_id", String, nullable=False),
    Column("access", String, nullable=False),
    Column("asset_ids", JsonText, nullable=False),
    Column("adding", JsonText),
    Column("state", String, nullable=False),
    Column("share_id", String),
    Column("url", AnyText),
    Column("passphrase", AnyText),
    Column("invited", String),
    Column("intended_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("seen_at", Instant),
    Column("run_id", ForeignKey("leases.run_id")),
    Column("tries", Integer, nullable=False, default=0),
    Column("not_before", Instant),
    Column("reason", AnyText),
    Column("hint", AnyText),
    Column("code", String),
    Index("shares_by_subject", "studio", "subject"),
)

shared_clips = Table(
    "shared_clips",
    metadata,
    Column("clip_id", ForeignKey("clips.id"), primary_key=True),
    Column("studio", String, nullable=False),
    Column("subject", AnyText, nullable=False),
    Column("name", AnyText, nullable=False),
    Column("folder_id", String),
    Column("since", Instant, nullable=False),
    Column("share", ForeignKey("shares.id")),
    Index("shared_clips_by_share", "share", "studio", "subject"),
)

folders = Table(
    "folders",
    metadata,
    Column("project_id", String, primary_key=True),
    Column("path", AnyText, primary_key=True),
    Column("folder_id", String, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("key", AnyText, nullable=False, unique=True),
    Column("channel", String, nullable=False),
    Column("clip_id", ForeignKey("clips.id")),
    Column("payload", JsonText, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("offered", Integer),
    Column("shown", Integer),
    Column("message_id", String),
    Column("state", String, nullable=False),
    Column("run_id", ForeignKey("leases.run_id")),
    Column("token", BigInteger, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("not_before", Instant),
    Column("made_at", Instant, nullable=False),
    Column("since", Instant, nullable=False),
    Column("reason", AnyText),
    Column("hint", AnyText),
    Column("code", String),
    Index("outbox_by_state", "state", "not_before"),
    Index("outbox_by_clip", "clip_id"),
)

threads = Table(
    "threads",
    metadata,
    Column("channel", String, primary_key=True),
    Column("name", AnyText, primary_key=True),
    Column("thread_id", String),
    Column("run_id", String),
)

feeds = Table(
    "feeds",
    metadata,
    Column("feed", String, primary_key=True),
    Column("run_id", String),
    Column("history_id", BigInteger, nullable=False),
    Column("notice_id", BigInteger, nullable=False),
    Column("trouble", AnyText),
)
