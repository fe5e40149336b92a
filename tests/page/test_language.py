"""Two studios of one page, each in its own language."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import update

from postflow.language import Language
from postflow.ledger import Ledger, Root
from postflow.ledger.schema import clips
from tests.page.ground import BOARD, NAME, Person, a_page, line_of


async def test_the_page_speaks_each_studios_language(ledger: Ledger, root: Root) -> None:
    languages: dict[str, Language] = {"main": "fr", "second": "en"}
    async with (
        a_page(Path(ledger.place), studios=("main", "second"), languages=languages) as page,
        Person(page.url) as person,
    ):
        french, english = await person.sees(), await person.sees("/studio/second/")
        assert '<html lang="fr">' in french
        assert '<html lang="en">' in english
        assert "Rien n’a encore été livré." not in french
        assert "Nothing has been delivered yet." in english
        travels = line_of(french, NAME.format("003"))
        assert "en cours d’envoi" in travels
        assert f"Annuler\u00a0: {NAME.format('003')}" in travels

        sign_in = await person.get("/sign-in")
        assert "Se connecter" in sign_in.text, "the first studio's, before one is chosen"
        asked = await person.presses("cancel", NAME.format("005"))
        assert asked.json()["text"].startswith("est annulé. «\u00a0Réessayer\u00a0»")
        with ledger.writing() as tx:
            tx.execute(
                update(clips).where(clips.c.id == 3).values(name="SQ08_UNDLM_00205_v001 été.mov")
            )
        assert "PostFlow ne reconnaît pas le nom" in await person.sees(f"{BOARD}clip/3")
        async with person.stream("GET", f"{BOARD}live") as live:
            first = await anext(live.aiter_lines())
            assert "\\u00c0 traiter" in first
