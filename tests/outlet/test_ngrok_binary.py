"""Which agent is taken, and which is not good enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from postflow.errors import Fatal
from postflow.outlet.ngrok.binary import find, version
from tests.support.agents import Agents


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o700)
    return path


async def test_version_is_told(agents: Agents) -> None:
    assert await version(agents.ngrok(version="3.30.0")) == "3.30.0"


@pytest.mark.parametrize("old", ["2.3.41", "3.3.1", "3.29.9"])
async def test_agent_without_endpoints_is_too_old(agents: Agents, old: str) -> None:
    """pyngrok would wait for ever for /api/endpoints."""
    with pytest.raises(Fatal) as refused:
        await version(agents.ngrok(version=old))
    assert refused.value.code == "tunnel.ngrok.old"
    assert old in refused.value.message


async def test_old_agent_is_not_started(agents: Agents) -> None:
    provider = agents.provider(ngrok=agents.ngrok(version="3.22.0"))
    with pytest.raises(Fatal) as refused:
        async with provider.open("http://127.0.0.1:9"):
            raise AssertionError("A tunnel was opened.")
    assert refused.value.code == "tunnel.ngrok.old"


@pytest.mark.parametrize("text", ["#!/bin/sh\necho hello\n", "#!/nowhere\n"])
async def test_program_that_is_no_agent_is_unusable(agents: Agents, text: str) -> None:
    with pytest.raises(Fatal) as refused:
        await version(script(agents.folder / "ngrok", text))
    assert refused.value.code == "tunnel.ngrok.unusable"


def test_the_variable_wins_and_what_is_named_is_not_replaced_by_another(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, nowhere = agents.ngrok(), agents.folder / "not-here"
    monkeypatch.setenv("POSTFLOW_NGROK_PATH", str(agent))
    assert find(nowhere) == agent
    monkeypatch.setenv("POSTFLOW_NGROK_PATH", "")
    with pytest.raises(Fatal) as missing:
        find(nowhere)
    assert missing.value.code == "tunnel.ngrok.missing"
    assert "https://ngrok.com/download" in missing.value.hint


def test_variable_comes_before_the_path(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    named = agents.ngrok()
    installed = script(agents.folder / "bin" / "ngrok", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(installed.parent))
    assert find() == installed
    monkeypatch.setenv("POSTFLOW_NGROK_PATH", str(named))
    assert find() == named


def test_script_that_pyngrok_installs_is_not_taken_by_name_either(agents: Agents) -> None:
    shim = script(agents.folder / "venv" / "ngrok", "#!/python\nfrom pyngrok.ngrok import main\n")
    with pytest.raises(Fatal) as missing:
        find(shim)
    assert missing.value.code == "tunnel.ngrok.missing"


def test_script_that_pyngrok_installs_is_not_the_agent(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in every venv with pyngrok, comes first in PATH there, and downloads when run."""
    shim = script(agents.folder / "venv" / "ngrok", "#!/python\nfrom pyngrok.ngrok import main\n")
    monkeypatch.setenv("PATH", str(shim.parent))
    with pytest.raises(Fatal) as missing:
        find()
    assert missing.value.code == "tunnel.ngrok.missing"
    installed = script(agents.folder / "bin" / "ngrok", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{shim.parent}:{installed.parent}")
    assert find() == installed
