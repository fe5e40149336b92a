"""The same command takes up the link that it began; another command makes another link."""

from __future__ import annotations

from pydantic import SecretStr

from postflow.delivery.share_by_hand import subject_of
from postflow.settings import Sharing


def test_another_passphrase_or_another_end_is_another_link() -> None:
    def subject(**options: object) -> str:
        return subject_of(["b", "a"], Sharing.model_validate({"per": "shot"} | options))

    first = subject(passphrase=SecretStr("sesame"))
    others = {subject(), subject(passphrase="simsim"), subject(expiry=3)}
    assert first == subject_of(["a", "b"], Sharing(per="shot", passphrase=SecretStr("sesame")))
    assert len({first} | others) == 4
