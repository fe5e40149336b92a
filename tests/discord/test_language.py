"""Why a clip was refused or failed is told in the studio's language, its remedy too."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from postflow.discord.cards import failed_card
from postflow.discord.summary import batch_card, skipped_card
from postflow.errors import PostFlowError, Skip
from postflow.folder.notices import Notices, ScanReport
from postflow.folder.pending import Waiting
from postflow.frameio import endpoints
from postflow.frameio.errors import refusal
from postflow.language import spoken
from postflow.ledger import open_ledger, outbox
from postflow.ledger.clips import reason
from postflow.media.containers.reading import NotWhole
from postflow.models import MediaFile
from postflow.naming import Naming
from tests.discord.summaries import batch_of, clip_failed
from tests.support.words import english_in


def misnamed() -> PostFlowError:
    with pytest.raises(Skip) as refused:
        Naming.preset().identify("SQ07_UNDLM_15_v003.mov")
    return refused.value


def forbidden() -> PostFlowError:
    return refusal(httpx.Response(403), endpoints.CREATE_FOLDER.doing)


@pytest.mark.parametrize(
    ("why", "english", "french"),
    [
        (misnamed(), "is no name PostFlow knows", "PostFlow ne reconnaît pas le nom"),
        (forbidden(), "Frame.io refused to create", "Frame.io a refusé cette demande"),
    ],
    ids=["refused", "failed"],
)
def test_a_refusal_and_a_failure(
    media: MediaFile, why: PostFlowError, english: str, french: str
) -> None:
    def cards() -> str:
        ended = reason(why)
        batch = batch_of(clip_failed(why=ended["reason"], hint=ended["hint"]))
        made = (failed_card(media, None, why), skipped_card({"a": why}), batch_card(batch))
        return "\n".join(card.model_dump_json() for card in made).replace("\\", "")

    assert cards().count(english) == 3
    with spoken("fr"):
        told = cards()
    assert told.count(french) == 3
    assert not english_in(told)
    assert english in str(why), "logs are in English"


async def test_a_folders_notices(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut = NotWhole(reason="is empty").reason
    waits = Waiting(relpath="a.mov", reason=cut, waited=7200, refused=True)
    async with open_ledger(tmp_path / "ledger.db") as ledger:
        notices = Notices(ledger, "main", "run-1")
        with spoken("fr"):
            notices.take(ScanReport(folder=tmp_path, overdue=(waits,)))
            notices.take(ScanReport(folder=tmp_path, alarm=misnamed().whole, trouble="fault"))
            await notices.hand_over()
        told = str([message.payload for message in outbox.messages(ledger.ledger)])
    assert "ce fichier est vide ; en attente depuis 120 min." in told.replace("\xa0", " ")
    assert not english_in(told)
    assert "a.mov is empty, and has been waited for 120 min." in caplog.text
