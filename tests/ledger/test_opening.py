"""Where a ledger may live, and what is said when it cannot."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text

from postflow.errors import Fatal, Retry
from postflow.ledger import Ledger, claims, default_path, export, roots
from postflow.ledger.leases import LEASE_SECONDS
from postflow.ledger.opening import open_engine
from postflow.ledger.schema import SCHEMA_VERSION
from postflow.media.volume import FileSystem, file_system_of
from tests.ledger.ground import add, add_many

VERSION = text("SELECT value FROM meta WHERE key = 'postflow_schema'")


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest) -> str:
    """Here it must be a database that nobody has opened before."""
    return str(request.getfixturevalue(f"{request.param}_url"))


def opened(where: str | Path) -> Engine:
    return open_engine(where, file_system_of)


def on_network(path: Path) -> FileSystem:
    return FileSystem(kind="network", type="fuse.lucidlink")


def test_by_default_it_lies_in_postflows_own_folder(private_state: Path) -> None:
    with Ledger.open() as ledger:
        roots.add(ledger, "main", Path("/mnt/show"))
    assert default_path() == private_state / "ledger.db"
    assert default_path().exists()


def test_it_is_there_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    with Ledger.open(path) as ledger:
        roots.add(ledger, "main", Path("/mnt/show"))
        found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm"} <= set(found)
    assert set(found.values()) == {0o600}


def test_a_second_opening_in_a_process_leaves_the_first_its_locks(tmp_path: Path) -> None:
    """Else another process that closes takes itself for the last, and removes what we still use."""
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        roots.add(ledger, "main", Path("/mnt/show"))
        Ledger.open(path).close()
        other = f"from postflow.ledger import Ledger; Ledger.open({str(path)!r}).close()"
        subprocess.run([sys.executable, "-c", other], check=True)
        assert path.with_name("ledger.db-wal").exists()
        roots.add(ledger, "main", Path("/mnt/other"))


def test_what_was_committed_is_on_disk(tmp_path: Path) -> None:
    """Write-ahead log and a sync at each commit: a power cut loses nothing that was promised."""
    with opened(tmp_path / "ledger.db").connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        connection.engine.dispose()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_a_network_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "yet" / "ledger.db"
    with pytest.raises(Fatal) as refused:
        Ledger.open(path, file_system=on_network)
    assert refused.value.code == "ledger.network_disk"
    assert "fuse.lucidlink" in refused.value.message
    assert not (tmp_path / "not").exists()


def test_postgresql_does_not_care_for_disks(postgres_url: str) -> None:
    Ledger.open(SecretStr(postgres_url), file_system=on_network).close()


def test_opening_again_finds_what_was_written(where: str) -> None:
    with Ledger.open(where) as ledger:
        add(ledger, roots.add(ledger, "main", Path("/mnt/show")), "a.mov")
    with Ledger.open(where) as ledger:
        assert claims.ready(ledger) == 1


def test_the_schema_version_is_written_down(where: str) -> None:
    engine = opened(where)
    with engine.connect() as connection:
        found = connection.execute(VERSION).scalar()
    engine.dispose()
    assert found == str(SCHEMA_VERSION)


@pytest.mark.parametrize(("version", "code"), [("99", "newer"), ("4", "older")])
def test_a_ledger_of_another_postflow_is_refused(where: str, version: str, code: str) -> None:
    engine = opened(where)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE meta SET value = '{version}'"))
    engine.dispose()
    with pytest.raises(Fatal) as refused:
        Ledger.open(where)
    assert refused.value.code == f"ledger.{code}"
    assert f"schema is {version}," in refused.value.message


def test_another_release_that_takes_it_over_meanwhile_ends_all_reading_and_writing(
    where: str,
) -> None:
    with Ledger.open(where) as ledger:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        with ledger.writing() as tx:
            tx.execute(text("UPDATE meta SET value = '99' WHERE key = 'postflow_schema'"))
        with pytest.raises(Fatal, match="of a newer PostFlow"):
            claims.ready(ledger)
        with pytest.raises(Fatal, match="of a newer PostFlow"):
            add(ledger, root, "a.mov")


def test_a_database_with_somebody_elses_tables_is_refused(
    tmp_path: Path, postgres_url: str
) -> None:
    path = tmp_path / "other.db"
    sqlite3.connect(path).execute("CREATE TABLE history (id INTEGER)").connection.close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE clips (id INTEGER)")
    for where in (path, postgres_url):
        with pytest.raises(Fatal) as refused:
            Ledger.open(where)
        assert refused.value.code == "ledger.foreign_tables"


def test_a_damaged_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database at all " * 1000)
    with pytest.raises(Fatal) as refused:
        Ledger.open(path)
    assert refused.value.code == "ledger.damaged"


def test_a_place_that_cannot_be_written_is_named_as_such(tmp_path: Path) -> None:
    """A file where a folder should be: even root cannot write there."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal) as refused:
        Ledger.open(tmp_path / "file" / "ledger.db")
    assert refused.value.code == "ledger.not_writable"


@pytest.mark.parametrize("address", ["mysql://root@db/postflow", "://", "http://db:x/y"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Fatal) as refused:
        Ledger.open(address)
    assert refused.value.code == "ledger.address"


def test_a_database_out_of_reach_can_be_tried_again_and_its_password_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Retry) as refused:
        Ledger.open(f"postgresql://postflow:s3cret@/postflow?host={tmp_path}")
    assert refused.value.code == "ledger.unreachable"
    story = f"{refused.value!r} {refused.value} {refused.value.__cause__!r} {caplog.text}"
    assert "s3cret" not in story


def test_a_database_that_was_restarted_is_reached_again(
    postgres_server: str, postgres_url: str
) -> None:
    """Cut off between two calls one notices nothing; in the middle of one it can be tried again."""
    with Ledger.open(postgres_url) as ledger:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        _cut_off_all(postgres_server)
        add(ledger, root, "a.mov")
        with pytest.raises(Retry) as cut:
            _write_while_cut_off(ledger, postgres_server)
        assert cut.value.code == "ledger.unreachable"
        assert claims.ready(ledger) == 1


def test_a_server_whose_line_is_gone_is_not_waited_for_until_tcp_gives_up(
    postgres_url: str,
) -> None:
    """No run could renew its lease meanwhile."""
    engine = opened(postgres_url)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        chosen = driver.info.get_parameters()
    engine.dispose()
    assert int(chosen["tcp_user_timeout"]) / 1000 < LEASE_SECONDS / 2
    assert int(chosen["keepalives_idle"]) < LEASE_SECONDS / 2


@pytest.mark.parametrize(
    ("set_up", "then"),
    [
        pytest.param(
            "SET LOCAL idle_in_transaction_session_timeout = '50ms'; SELECT 1",
            "SELECT 1",
            id="slept",
        ),
        pytest.param("SET LOCAL transaction_read_only = on", "DELETE FROM clips", id="a-standby"),
        pytest.param("SET LOCAL statement_timeout = '50ms'", "SELECT pg_sleep(9)", id="too-slow"),
    ],
)
def test_what_postgresql_does_not_do_just_now_can_be_tried_again(
    postgres_url: str, set_up: str, then: str
) -> None:
    """A backup put in its place, the remedy for a damaged file, would undo what came since."""

    def refused(ledger: Ledger) -> str | None:
        try:
            with ledger.writing() as tx:
                tx.connection.exec_driver_sql(set_up)
                time.sleep(0.2)
                tx.connection.exec_driver_sql(then)
        except Retry as error:
            return error.code
        return None

    with Ledger.open(postgres_url) as ledger:
        assert refused(ledger) == "ledger.unreachable"
        assert claims.ready(ledger) == 0, "it goes on"


def test_a_user_without_rights_is_named_as_such(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        with pytest.raises(Fatal) as refused:
            _write_as_a_reader(ledger)
        assert claims.ready(ledger) == 0, "nothing of that lasts"
    assert refused.value.code == "ledger.refused"


def _write_as_a_reader(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        schema = tx.connection.exec_driver_sql("SELECT current_schema()").scalar()
        role = f"CREATE ROLE reader; GRANT USAGE ON SCHEMA {schema} TO reader"
        tx.connection.exec_driver_sql(f"{role}; SET LOCAL ROLE reader; DELETE FROM clips")


def test_a_file_that_is_damaged_under_way_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        add_many(ledger, roots.add(ledger, "main", Path("/mnt/show")), 200)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(Fatal) as refused, Ledger.open(path) as ledger:
        claims.ready(ledger)
    assert refused.value.code == "ledger.damaged"


def _write_while_cut_off(ledger: Ledger, server: str) -> None:
    with ledger.writing() as tx:
        _cut_off_all(server)
        tx.execute(text("UPDATE clips SET state = 'done'"))


def _cut_off_all(server: str) -> None:
    with psycopg.connect(server) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.mark.parametrize("wrong", ["/nowhere", "/postgres"])
def test_a_database_that_lets_nobody_in_is_named_as_such(postgres_server: str, wrong: str) -> None:
    address = postgres_server.replace("/postgres?", f"{wrong}?")
    if wrong == "/postgres":
        address = address.replace("//postgres@", "//nobody-known:s3cret@")
    with pytest.raises(Fatal) as refused:
        Ledger.open(address)
    assert refused.value.code == "ledger.refused"


def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    """SQLite is told that it may have no more pages, which is what a full disk comes to."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        with ledger.writing() as tx:
            tx.connection.exec_driver_sql("PRAGMA max_page_count=1")
        with pytest.raises(Retry) as refused:
            add_many(ledger, root, 10_000)
    assert refused.value.code == "ledger.disk_full"
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        add(ledger, root, "space-again.mov")


def test_a_writer_that_waits_too_long_may_try_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        with ledger.writing() as tx:
            tx.connection.exec_driver_sql("PRAGMA busy_timeout=1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Retry) as refused:
            add(ledger, root, "a.mov")
        assert claims.ready(ledger) == 0
        other.close()
        add(ledger, root, "a.mov")
    assert refused.value.code == "ledger.unreachable"


def test_a_backup_taken_while_it_runs_is_a_whole_ledger(tmp_path: Path) -> None:
    """As docs/ledger.md says: with SQLite's own backup, not by copying files."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        root = roots.add(ledger, "main", Path("/mnt/show"))
        add(ledger, root, "a.mov")
        with sqlite3.connect(tmp_path / "ledger.db") as source:
            source.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
        source.close()
        before = [json.loads(line) for line in export.lines(ledger)][1:]
    (tmp_path / "copy.db").replace(tmp_path / "ledger.db")
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert [json.loads(line) for line in export.lines(ledger)][1:] == before


def test_nothing_is_left_open_when_opening_fails(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = '99'"))
    engine.dispose()
    before = psutil.Process().open_files()
    for _ in range(5):
        with pytest.raises(Fatal):
            Ledger.open(path)
    assert psutil.Process().open_files() == before
