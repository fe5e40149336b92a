"""The studio's TOML file: every mistake is told by its place, never by a value."""

from __future__ import annotations

import re
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from postflow.blocks.adobe import AdobeTokens
from postflow.blocks.discord import DiscordWebhook
from postflow.blocks.frameio import FrameioAccount
from postflow.blocks.host import Host
from postflow.blocks.tunnel import Tunnel
from postflow.errors import Fatal
from postflow.feeds import Alarm, Hook
from postflow.naming.rules import NameRule
from postflow.problems import problems
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import StudioFile, StudioSection, read_studio_file
from postflow.settings import LimitedHours, RetryPolicy, Sharing, Watching
from tests.support.studio_file import GOOD, SECRETS

MISTAKES = {
    "no file": (None, "there is no file"),
    "torn": (GOOD.replace('"p8e-TopSecret"', '"p8e-TopSecret'), "line 16"),
    "no text": ("\udcff", "it is no text in UTF-8"),
    "unknown table": (GOOD + "\n[slack]\nurl = 1\n", "there is no table [slack]."),
    "a table's other name": (
        GOOD.replace("[frameio]", "[frame.io]"),
        "there is no table [frame.io]; did you mean [frameio]?",
    ),
    "a table within another": (
        GOOD.replace("[studio.retry_policy]", "[studio.retrypolicy]"),
        "there is no table [studio.retrypolicy]; did you mean [studio.retry_policy]?",
    ),
    "one folder for a list": (
        GOOD + '\n[studio.watching]\nfolders = "exports"\n',
        'studio.toml: [studio.watching] folders has to be a list, as in folders = ["…"].',
    ),
    "one table for a list": (
        GOOD + '\n[studio.alarms]\nurl = "x"\n',
        "[studio.alarms] has to be a list of tables, as in [[studio.alarms]]",
    ),
    "a time with its unit": (
        GOOD + '\n[studio.watching]\nquiet = "10s"\n',
        "[studio.watching] quiet has to be a number of seconds, without quotes and unit",
    ),
    "text for a table": (
        f"discord = 1\n{GOOD.replace('[discord]', '[studio.discord]')}",
        "[discord] has to be a table",
    ),
    "unknown field": (
        GOOD.replace("client_id", "clientid"),
        "clientid is unknown; did you mean client_id?",
    ),
    "unknown studio field": (
        GOOD.replace("naming =", "namin ="),
        "[studio] namin is unknown; did you mean naming?",
    ),
    "table missing": (GOOD.replace("[frameio]", "[studio.frameio]"), "[frameio] is missing"),
    "no such kind": (GOOD.replace('"web"', '"p8e-TopSecret"'), "[adobe] kind has to be"),
    "a number for a secret": (
        GOOD.replace('"2ngrokTopSecret"', "42"),
        "[tunnel] authtoken has to be text, in quotes",
    ),
    "a number too small": (
        GOOD.replace("attempts = 5", "attempts = 0"),
        "[studio.retry_policy] attempts has to be 1 or more",
    ),
    "a secret too short": (
        GOOD + '\n[studio.hook]\nurl = "https://hook.example"\nsecret = "TopSecret"\n',
        "[studio.hook] secret needs 16 or more characters",
    ),
    "Frame.io in clear": (
        GOOD.replace("[frameio]", '[frameio]\nbase_url = "http://p8e-TopSecret.example"'),
        "[frameio] base_url: it begins with https://",
    ),
    "Adobe in clear": (
        GOOD.replace("[adobe]", '[adobe]\nims_url = "http://p8e-TopSecret.example"'),
        "[adobe] ims_url: it begins with https://",
    ),
    "a name for no URL": (GOOD.replace('"north"', '"North Wing"'), "[studio] name may hold"),
    "static without address": (
        GOOD.replace("[tunnel]", '[tunnel]\nprovider = "static"'),
        "base_url and port",
    ),
    "static with a secret for an address": (
        GOOD.replace(
            "[tunnel]",
            '[tunnel]\nprovider = "static"\nport = 8080\nbase_url = "ftp://p8e-TopSecret"',
        ),
        "[tunnel]",
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
        "[discord] thread_id: an id is a number",
    ),
    "a thread's unknown field": (
        GOOD.replace("[discord]", '[discord]\nthread_name = "{scene}"'),
        "[discord] thread_name: there is no field {scene}",
    ),
    "two kinds of threads": (
        GOOD.replace("[discord]", '[discord]\nthread_id = 17\nthread_name = "x"'),
        "thread_id or thread_name, not both",
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


BLOCKS: tuple[type[BaseModel], ...] = (
    AdobeTokens,
    FrameioAccount,
    Tunnel,
    DiscordWebhook,
    Host,
)
TABLES = (StudioFile, StudioSection, Watching, RetryPolicy, LimitedHours, Sharing, Alarm, Hook)
MODELS = (*BLOCKS, *TABLES, NameRule)
LISTS: tuple[Any, ...] = ([], [7], {}, {"x": 7})
TEXTS = ("", "x" * 9_999, "ü", "-1")
NUMBERS = (2.5, 10**30, -(10**30), 0, float("nan"))
WRONG = (*LISTS, *TEXTS, *NUMBERS, True, date(2026, 1, 1), None)
PYDANTICS = re.compile(
    "Input should|Extra inputs|required|valid (tuple|list)|parsing|instance|dictionary|Value error"
    "|Assertion|cannot be understood"
)


@pytest.mark.parametrize("kind", MODELS)
def test_whatever_is_wrong_with_a_setting_is_told_in_words_of_ours(kind: type[BaseModel]) -> None:
    """Every field of every table, each given what it cannot be."""
    told = []
    for field, wrong in product([each.alias or n for n, each in kind.model_fields.items()], WRONG):
        try:
            kind.model_validate({field: wrong})
        except ValidationError as error:
            told.append((field, wrong, problems(error, kind)))
    assert told
    assert [each for each in told if PYDANTICS.search(each[2])] == []
