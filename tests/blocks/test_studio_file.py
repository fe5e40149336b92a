"""The studio's TOML file: every mistake is told by its place, never by a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.errors import Fatal
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import read_studio_file
from tests.support.studio_file import GOOD, SECRETS

MISTAKES = {
    "no file": (None, "No such file"),
    "torn": (GOOD.replace('"p8e-TopSecret"', '"p8e-TopSecret'), "line 16"),
    "no text": ("\udcff", "utf-8"),
    "unknown table": (GOOD + "\n[slack]\nurl = 1\n", "slack"),
    "unknown field": (GOOD.replace("client_id", "clientid"), "[adobe]: unknown: clientid"),
    "unknown studio field": (GOOD.replace("naming =", "names ="), "studio.names"),
    "table missing": (GOOD.replace("[frameio]", "[studio.frameio]"), "frameio: Field required"),
    "no such kind": (GOOD.replace('"web"', '"p8e-TopSecret"'), "[adobe]: kind"),
    "a section's old name": (
        GOOD.replace("retry_policy]", "patience]"),
        "studio: patience is called retry_policy now",
    ),
    "a setting's old name": (
        GOOD + "\n[studio.watching]\nlinger = 5.0\n",
        "studio.watching: linger is called idle_timeout now",
    ),
    "another setting's old name": (
        GOOD + "\n[studio.watching]\nlate = 5.0\n",
        "studio.watching: late is called scan_timeout now",
    ),
    "a number for a secret": (GOOD.replace('"2ngrokTopSecret"', "42"), "[tunnel]: authtoken"),
    "a number too small": (GOOD.replace("attempts = 5", "attempts = 0"), "studio.retry_policy"),
    "a name for no URL": (GOOD.replace('"north"', '"North Wing"'), "studio.name"),
    "static without address": (
        GOOD.replace("[tunnel]", '[tunnel]\nprovider = "static"'),
        "base_url and port",
    ),
    "static with a secret for an address": (
        GOOD.replace(
            "[tunnel]",
            '[tunnel]\nprovider = "static"\nport = 8080\nbase_url = "ftp://p8e-TopSecret"',
        ),
        "[tunnel]: base_url",
    ),
    "a relative watch folder": (
        GOOD + '\n[studio.watching]\nfolders = ["exports"]\n',
        "exports has to be an absolute path",
    ),
    "a watch folder twice": (
        GOOD + '\n[studio.watching]\nfolders = ["/mnt/a", "/mnt/a/"]\n',
        "a folder is named twice",
    ),
    "a thread that is none": (
        GOOD.replace("[discord]", '[discord]\nthread_id = "dailies"'),
        "[discord]: thread_id: an id is a number",
    ),
    "a thread's unknown field": (
        GOOD.replace("[discord]", '[discord]\nthread_name = "{scene}"'),
        "[discord]: thread_name: there is no field {scene}",
    ),
    "two kinds of threads": (
        GOOD.replace("[discord]", '[discord]\nthread_id = 17\nthread_name = "x"'),
        "[discord]: thread_name: thread_id or thread_name, not both",
    ),
    "no such preset": (GOOD.replace("wip_byshot", "byshot"), "byshot"),
}


@pytest.mark.parametrize(("text", "says"), MISTAKES.values(), ids=MISTAKES)
async def test_a_mistake_is_told_by_its_place_before_anything_is_saved(
    tmp_path: Path, text: str | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "studio.toml"
    if text is not None:
        file.write_bytes(text.encode(errors="surrogateescape"))
    monkeypatch.setattr("postflow.service.save_studio.get_client", _no_server)

    with pytest.raises(Fatal) as caught:
        await save_studio(read_studio_file(file))

    assert says in caught.value.message
    assert caught.value.hint
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


def _no_server() -> None:
    raise AssertionError("Something was about to be saved.")
