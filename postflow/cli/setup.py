"""`postflow setup` and `login`: a studio's blocks, and its sign-in with Adobe."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postflow.errors import Fatal, PostFlowError
from postflow.language import ngettext
from postflow.service.console import err, first_contact, out, tell_if_open
from postflow.service.server import prepare_prefect

from .app import PORT, PortOption, StudioOption, app, prepared_studio, run

if TYPE_CHECKING:
    from postflow.blocks.studio import Studio


PasteOption = Annotated[
    bool, typer.Option("--paste", help="Paste the address that the browser ends at, by hand.")
]


def resume(block: Studio, studio: str) -> None:
    """A ledger that is away costs no more than that they wait some minutes longer."""
    from postflow.ledger import Ledger, outages

    with suppress(PostFlowError), Ledger.open(block.ledger) as ledger:
        if many := outages.clear(ledger, studio):
            again = ngettext(
                "%(num)s clip that waited for this: tried again now.",
                "%(num)s clips that waited for this: tried again now.",
                many,
            )
            out.print(f"  {again % {'num': many}}")


@app.command()
def setup(
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Ask nothing: this is the studio's TOML file."),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print such a file, with all that it may hold.")
    ] = False,
    given: Annotated[
        Path | None,
        typer.Option("--from", help="Ask only what this file, a part of such a one, leaves open."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Also write the answers there, as such a file.")
    ] = None,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Forget the answers of a set-up that was interrupted.")
    ] = False,
    paste: PasteOption = False,
    studio: StudioOption = None,
    port: PortOption = PORT,
) -> None:
    """Set a studio up: by questions, each answer proven at once, or from a TOML file."""
    if example:
        print(example_file(), end="")  # noqa: T201 - the command's output
    elif file:
        _from_file(file)
    else:
        from postflow.service.studio_file import read_tables

        from .setup_questions import ask_and_start

        tables = read_tables(given) if given else {}
        ask_and_start(
            studio or "main", tables, write=write, afresh=afresh, by_paste=paste, port=port
        )


def example_file() -> str:
    return resources.files("postflow.service.setup").joinpath("example.toml").read_text("utf-8")


def _from_file(file: Path) -> None:
    from postflow.service.studio_file import read_studio_file

    studio_file = read_studio_file(file)
    prepare_prefect(alone=False)
    from postflow.service.exposure import folders_with_secrets
    from postflow.service.save_studio import save_studio, studio_of

    built = studio_of(studio_file)  # what is wrong in it is told before a server is waited for
    prepare_prefect()
    tell_if_open(file, *folders_with_secrets())
    block = asyncio.run(save_studio(studio_file, built))
    name = studio_file.studio.name
    out.print(f"[green]✓[/green] Studio [bold]{name}[/bold] is saved in Prefect.")
    resume(block, name)
    option = "" if name == "main" else f" --studio {name}"
    if studio_file.adobe.get("kind", "web") != "service":
        out.print(f"  Next: postflow login{option}")
    out.print(f"  Then: postflow check{option}")
    out.print(first_contact(name))


@app.command()
def login(
    studio: StudioOption = None,
    paste: PasteOption = False,
) -> None:
    """Sign in with Adobe. The tokens are kept in Prefect and renew themselves."""
    block = prepared_studio(studio)
    if block.adobe.get_credential().is_service:
        raise Fatal(
            "A server-to-server credential needs no sign-in.",
            hint="Run `postflow check` instead.",
            code="adobe.no_login_needed",
        )
    from postflow.service.setup.adobe import sign_in

    def ask() -> str:
        return str(typer.prompt("Address", err=True, hide_input=True))

    def say(text: str) -> None:
        err.print(text, markup=False)

    tokens = sign_in(block.adobe, ask if paste else None, say=say, run=run)
    run(block.adobe.get_client().adopt(tokens))
    out.print("[green]✓[/green] Signed in. Adobe granted: " + (", ".join(tokens.scopes) or "?"))
    resume(block, block.document_name)
    if tokens.refresh_token is None:
        err.print(
            "[yellow]![/yellow] Adobe sent no refresh token, so this sign-in ends in a day. "
            "Give its credential the scope offline_access in Adobe's console, and sign in again."
        )
