"""Opens the ledger's database, SQLite on a local disk or PostgreSQL by URL."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock
from pydantic import SecretStr
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from postflow.errors import Fatal
from postflow.language import N_
from postflow.media.volume import FileSystem
from postflow.state import state_dir

from .errors import disk_full, plain_faults
from .schema import SCHEMA_VERSION, meta, metadata

FindFileSystem = Callable[[Path], FileSystem]

BUSY_SECONDS = 30
CONNECT_SECONDS = 10
# Else a server whose machine or line is gone is waited for until TCP gives up, a quarter of an hour
# (https://www.postgresql.org/docs/current/libpq-connect.html).
SILENT_SECONDS = 20
ALIVE = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": SILENT_SECONDS * 1000,
    "keepalives_idle": SILENT_SECONDS // 2,
    "keepalives_interval": SILENT_SECONDS // 4,
    "keepalives_count": 2,
}
# Row locks taken by scans, runs and announcements at once ended in deadlocks. One writer at a time,
# as on SQLite, cannot; and a host that vanishes in the middle is shut out after a while.
ONE_WRITER = f"""
    SET LOCAL lock_timeout = '{BUSY_SECONDS}s';
    SET LOCAL idle_in_transaction_session_timeout = '{BUSY_SECONDS}s';
    SELECT pg_advisory_xact_lock(7302031)
"""
VERSION = "SELECT value FROM meta WHERE key = 'postflow_schema'"
PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
OWN_DISK = N_(
    "Choose a folder on this machine's own disk, or give the URL of a PostgreSQL database."
)


def default_path() -> Path:
    """`ledger.db` in PostFlow's own folder on this machine."""
    return state_dir() / "ledger.db"


def is_shared(where: SecretStr | None) -> bool:
    """Can other hosts use it too? A file is one machine's."""
    return where is not None and "://" in where.get_secret_value()


def open_engine(where: str | SecretStr | Path | None, file_system: FindFileSystem) -> Engine:
    """The ready database at a path or a `postgresql://` URL; the default path for None.

    Raises Fatal: ledger.address, ledger.network_disk, ledger.no_wal, ledger.no_driver,
    ledger.newer, ledger.older, ledger.foreign_tables, ledger.damaged, ledger.refused,
    ledger.not_writable.
    Raises Retry: ledger.unreachable, ledger.disk_full, ledger.not_writable.
    """
    if isinstance(where, SecretStr):
        where = where.get_secret_value()
    if isinstance(where, str) and "://" in where:
        return _open_postgres(_address(where))
    return _open_sqlite(Path(where) if where else default_path(), file_system)


def _open_sqlite(path: Path, file_system: FindFileSystem) -> Engine:
    path = path.expanduser().absolute()
    _refuse_network(path, file_system)
    _make_private(path)
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin_sqlite)
    # the switch to WAL does not wait for others as writers do
    with FileLock(f"{path}.lock", mode=0o600):
        _prepared(engine)
    return engine


def _refuse_network(path: Path, file_system: FindFileSystem) -> None:
    folder = next(parent for parent in path.parents if parent.exists())
    found = file_system(folder)
    if found.kind == "network":
        raise Fatal(
            "The ledger would lie on a network disk ({type}), where SQLite loses data.",
            hint=OWN_DISK,
            code="ledger.network_disk",
            type=found.type,
        )


def _make_private(path: Path) -> None:
    """One that is there is not opened: who closes it lets go of all locks that SQLite holds on it
    for other connections of this process (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if path.is_dir() or not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        if error.errno in PASSING:
            raise disk_full() from error
        raise Fatal(
            "The ledger cannot be made at {path}: {reason}.",
            hint="Give PostFlow's user the right to write there, or name another place.",
            code="ledger.not_writable",
            path=path,
            reason=error.strerror,
        ) from error


def _set_up_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # BEGIN is ours to say, see _begin
    cursor = connection.cursor()
    mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    if mode != "wal":
        raise Fatal(
            "The disk under the ledger does not allow SQLite's write-ahead log.",
            hint=OWN_DISK,
            code="ledger.no_wal",
        )


def _begin_sqlite(connection: Connection) -> None:
    # a writer queues at once: a reader that turns writer midway would fail with "locked"
    connection.exec_driver_sql("BEGIN" if _is_reading(connection) else "BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    if not _is_reading(connection):
        connection.exec_driver_sql(ONE_WRITER)


def _is_reading(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("reading", False))


def _address(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise Fatal(
            "The ledger's address is neither a path nor a postgresql:// URL.",
            hint="Write it as postgresql://user:password@host/database, or give a path.",
            code="ledger.address",
        ) from None
    return parsed.set(drivername="postgresql+psycopg")


def _open_postgres(url: URL) -> Engine:
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args=ALIVE,
        )
    except ModuleNotFoundError as error:
        raise Fatal(
            "PostgreSQL's driver is not installed.",
            hint="Install PostFlow's wheel once more with it: "
            "`uv tool install 'postflow[postgres] @ WHEEL'`, or the same by pip.",
            code="ledger.no_driver",
        ) from error
    event.listen(engine, "begin", _begin_postgres)
    _prepared(engine)
    return engine


def _prepared(engine: Engine) -> None:
    try:
        with plain_faults(), engine.begin() as connection:
            _prepare(connection)
    except BaseException:
        engine.dispose()
        raise


def _prepare(connection: Connection) -> None:
    """Create the tables, or refuse those of another release; all of it or nothing."""
    found = _version_of(connection)
    if found is None:
        _create(connection)
    else:
        demand_version(found)


def demand_schema(connection: Connection) -> None:
    """Another release may have opened the ledger since. Raises Fatal ledger.newer, ledger.older."""
    found = connection.exec_driver_sql(VERSION).scalar()
    if found != str(SCHEMA_VERSION):
        demand_version(int(found or 0))


def demand_version(found: int) -> None:
    """Raises Fatal ledger.newer, ledger.older."""
    if found > SCHEMA_VERSION:
        raise Fatal(
            "The ledger is of a newer PostFlow (its schema is {found}, not {ours}).",
            hint="Install the newer PostFlow here too, or use another ledger.",
            code="ledger.newer",
            found=found,
            ours=SCHEMA_VERSION,
        )
    if found < SCHEMA_VERSION:
        raise Fatal(
            "The ledger is of an older PostFlow (its schema is {found}, not {ours}).",
            hint="Move it away or name another place: a new ledger asks what becomes of the clips.",
            code="ledger.older",
            found=found,
            ours=SCHEMA_VERSION,
        )


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    facts = {"postflow_schema": str(SCHEMA_VERSION), "ledger": uuid4().hex}
    connection.execute(insert(meta), [{"key": key, "value": facts[key]} for key in facts])


def _version_of(connection: Connection) -> int | None:
    present = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if not present:
        return None
    query = select(meta.c.value).where(meta.c.key == "postflow_schema")
    value = connection.scalar(query) if meta.name in present else None
    if value is None:
        raise Fatal(
            "The database holds tables that are not PostFlow's: {tables}.",
            hint="Give PostFlow a database of its own.",
            code="ledger.foreign_tables",
            tables=", ".join(sorted(present)),
        )
    return int(value)
