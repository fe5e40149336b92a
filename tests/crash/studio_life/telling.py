"""What has to be true of the Discord channel when the studio's days are over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from postflow.ledger import Message, MessageState, State, export, outbox
from postflow.ledger.outbox import NO_ANSWER
from postflow.settings import Watching
from tests.crash.ground import Ground
from tests.crash.studio_life.silence import Silences
from tests.crash.studio_life.volume import Volume

AT_ONCE = Watching().at_once
UNKNOWN_OUTCOME = "discord.unknown_outcome"
READY = "is ready for review"

Shown = Mapping[str, Mapping[str, Any]]


def each_delivery_is_told_once(ground: Ground, silences: Silences) -> int:
    """By a message of its own, or by its batch's. Returns how many messages stand there besides.

    By the documented rule: a post whose answer was lost is not posted again with the same content.
    So there is one more, or one that the ledger calls unknown, where an answer may have been lost.
    """
    shown = {message["id"]: message for message in ground.world.messages()}
    with ground.open_ledger() as ledger:
        records = [json.loads(line) for line in export.lines(ledger)]
        messages = {message.key: message for message in outbox.messages(ledger)}
    done = [record for record in records if record.get("state") == State.DONE]
    own = [messages[f"{ground.studio}/clip-{clip['id']}"] for clip in done if not clip["batch_id"]]
    for message in own:
        assert _title(shown, message) == message.payload["title"]
        assert message.payload["title"].endswith(READY)
    for batch_id, clips in Counter(clip["batch_id"] for clip in done if clip["batch_id"]).items():
        assert _delivered(shown, messages[f"{ground.studio}/batch-{batch_id}"]) == clips
    ids = [message.message_id for message in messages.values() if message.message_id]
    assert len(ids) == len(set(ids))
    besides = [shown[each] for each in shown.keys() - set(ids)]
    titles = Counter(shown[each]["embeds"][0]["title"] for each in shown.keys() & set(ids))
    allowed = Counter(message.payload["title"] for message in own)
    assert [title for title in allowed if titles[title] > allowed[title]] == []
    assert [message for message in besides if not silences.explain(message)] == []
    return len(besides)


def _title(shown: Shown, message: Message) -> str:
    """As the channel has it; of one in doubt, what it is to say."""
    if message.state is MessageState.UNKNOWN:
        return str(message.payload["title"])
    return str(shown[str(message.message_id)]["embeds"][0]["title"])


def _delivered(shown: Shown, message: Message) -> int:
    """How many clips the batch's message calls delivered."""
    if message.state is MessageState.UNKNOWN:
        lines = dict(message.payload["lines"])
    else:
        fields = shown[str(message.message_id)]["embeds"][0]["fields"]
        lines = {field["name"]: field["value"] for field in fields}
    return int(lines["Delivered"].split()[0])


def each_message_is_sent_or_known_to_be_in_doubt(ground: Ground, silences: Silences) -> None:
    with ground.open_ledger() as ledger:
        left = [each for each in outbox.messages(ledger) if each.state is not MessageState.SENT]
    assert {message.state for message in left} <= {MessageState.UNKNOWN}
    codes = Counter(message.code for message in left)
    assert codes.keys() <= {NO_ANSWER.code, UNKNOWN_OUTCOME}
    assert codes[UNKNOWN_OUTCOME] <= silences.unanswered
    assert codes[NO_ANSWER.code] <= silences.cut * AT_ONCE


def each_misnamed_file_is_told_once(ground: Ground, volume: Volume, silences: Silences) -> None:
    with ground.open_ledger() as ledger:
        in_doubt = _texts(
            message.payload for message in outbox.messages(ledger, MessageState.UNKNOWN)
        )
    messages = ground.world.messages()
    surely = _texts(m["embeds"][0] for m in messages if not silences.explain(m))
    perhaps = in_doubt + _texts(m["embeds"][0] for m in messages if silences.explain(m))
    for name in volume.misnamed:
        times = sum(f"{name}:" in text for text in surely)
        assert times == 1 or (times == 0 and any(f"{name}:" in text for text in perhaps)), name


def _texts(cards: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(card.get("description")).replace("\\", "") for card in cards]
