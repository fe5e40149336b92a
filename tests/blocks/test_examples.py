"""What Prefect shows of a block type can be copied, pasted and run; its command finds them all."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL

import postflow
from postflow.blocks import AdobeTokens, DiscordWebhook, FrameioAccount, Host, Studio, Tunnel
from postflow.cli.sandbox import sandbox_studio
from postflow.sandbox import Sandbox
from postflow.servers import password
from postflow.service.save_studio import save_studio
from postflow.service.studio_file import StudioFile

ROOT = Path(__file__).parents[2]
BLOCKS = (AdobeTokens, DiscordWebhook, FrameioAccount, Host, Studio, Tunnel)
SAYS = {
    AdobeTokens: "An access token of",
    DiscordWebhook: "PostFlow sandbox",
    FrameioAccount: "UNDLM",
    Host: "2",
    Studio: "UNDLM",
    Tunnel: "**********",
}


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def saved(prefect_api: str, shared_world: Sandbox) -> None:
    tables = sandbox_studio(shared_world.describe())
    asyncio.run(save_studio(StudioFile.model_validate(tables)))


@pytest.mark.prefect
@pytest.mark.parametrize("block", BLOCKS)
def test_the_example_runs_as_it_stands(
    block: type[Block], saved: None, capsys: pytest.CaptureFixture[str]
) -> None:
    example = block.get_code_example()
    assert example
    lines = example.strip().removeprefix("```python").removesuffix("```")
    exec(compile(lines, block.__name__, "exec"), {})
    assert SAYS[block] in capsys.readouterr().out


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_type_has_a_logo_and_says_where_to_read_on(block: type[Block]) -> None:
    shown = block._to_block_type()  # noqa: SLF001 - what is sent to the server
    assert str(shown.logo_url).startswith("https://")
    assert str(shown.documentation_url).startswith("https://")


@pytest.mark.prefect
@pytest.mark.slow
def test_prefects_own_command_registers_them(prefect_api: str) -> None:
    command = ("-m", "prefect", "block", "register", "-m", "postflow.blocks")
    environment = os.environ | {
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_API_AUTH_STRING": password(),
    }
    told = subprocess.check_output([sys.executable, *command], env=environment, text=True)
    assert "registered 6 blocks" in told
    for block in BLOCKS:
        assert block.get_block_type_name() in told


def test_in_a_checkout_they_are_found_under_the_folders_name_and_exist_once() -> None:
    here = import_module("blocks")
    assert Path(here.__file__ or "") == ROOT / "blocks" / "__init__.py"
    for block in BLOCKS:
        assert getattr(here, block.__name__) is block


LOADED = """
import os
before = dict(os.environ)
from prefect.plugins import load_prefect_collections
from prefect.settings import get_current_settings
settings = get_current_settings()
print(load_prefect_collections()["postflow"].__name__)
assert dict(os.environ) == before, "a Prefect server or worker would be another one"
assert get_current_settings() == settings
"""


def test_prefect_loads_them_by_itself_and_is_not_changed_by_it(
    private_state: Path, tmp_path: Path
) -> None:
    (private_state / "prefect-api-url").write_text("http://127.0.0.1:9/api")
    environment = {
        "POSTFLOW_STATE_DIR": str(private_state),
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    told = subprocess.check_output(
        [sys.executable, "-P", "-c", LOADED], env=environment, cwd=tmp_path, text=True
    )
    assert told == "postflow.blocks\n"


def test_what_the_package_names_is_found_where_it_says() -> None:
    assert set(postflow.__all__) <= set(dir(postflow))
    for name in postflow.__all__:
        assert getattr(postflow, name).__name__ == name or name == "deliver"
    with pytest.raises(AttributeError, match="no attribute 'upload'"):
        _ = postflow.upload
