"""Neither the authtoken nor the public address is shown to anybody."""

from __future__ import annotations

import json
import logging
import stat
import traceback
from pathlib import Path
from urllib.parse import unquote

import psutil
import pytest
from pydantic import SecretStr
from pyngrok import installer
from pyngrok.exception import PyngrokNgrokError
from pyngrok.log import NgrokLog

from postflow.errors import Fatal, PostFlowError, Retry
from postflow.outlet.ngrok.stderr import StderrTail
from tests.support.agents import TOKEN, Agents

NOWHERE = "http://127.0.0.1:9"


def command_lines() -> str:
    return "\n".join(" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]))


async def test_token_is_in_no_process_list(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyngrok would take it from the environment and put it on the command line."""
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    async with agents.provider().open(NOWHERE):
        assert len(agents.processes()) == 1
        assert TOKEN not in command_lines()


async def test_token_in_the_environment_does_not_win_over_the_given_one(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", "2another_0123456789abcdef")
    async with agents.provider().open(NOWHERE) as tunnel:
        await tunnel.check()


@pytest.mark.parametrize("given", ["", None])
async def test_token_of_the_environment_serves_where_none_is_given(
    agents: Agents, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    async with agents.provider(given=given or "").open(NOWHERE) as tunnel:
        await tunnel.check()


async def test_token_that_ngrok_itself_keeps_serves_where_none_is_given(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(agents.folder))
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    kept = agents.folder / "ngrok" / "ngrok.yml"
    kept.parent.mkdir()
    kept.write_text(f'version: "3"\nagent:\n    authtoken: {TOKEN}\n')
    async with agents.provider(given="").open(NOWHERE) as tunnel:
        await tunnel.check()


async def test_no_token_at_all_is_told(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(agents.folder))
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    with pytest.raises(PostFlowError) as refused:
        async with agents.provider(given="").open(NOWHERE):
            raise AssertionError("A tunnel was opened.")
    assert refused.value.code == "tunnel.ngrok.4018"


async def test_files_with_the_token_are_for_us_alone_and_go_away(agents: Agents) -> None:
    async with agents.provider().open(NOWHERE):
        (config,) = (agents.state / "ngrok").glob("*/ngrok.yml")
        assert json.loads(config.read_text())["agent"]["authtoken"] == TOKEN
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert not config.exists()


async def test_nothing_secret_is_logged_or_printed(
    agents: Agents, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with agents.provider().open(NOWHERE) as tunnel:
        await tunnel.check()
    said = caplog.text + "".join(capfd.readouterr()) + repr(tunnel) + repr(agents.provider())
    assert "The ngrok tunnel is open." in said
    assert TOKEN not in said
    assert tunnel.public_url.get_secret_value() not in said


@pytest.mark.parametrize("token", ["mis formed", "2wellFormed_butNotValid0123456789"])
async def test_refused_token_is_not_repeated(
    agents: Agents, token: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """ngrok writes it to its log and to stderr."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PostFlowError) as refused:
        async with agents.provider(given=token).open(NOWHERE):
            raise AssertionError("A tunnel was opened.")
    told = "".join(traceback.format_exception(refused.value))
    assert token not in told + caplog.text + "".join(capfd.readouterr())


async def test_pyngrok_does_not_keep_the_token(agents: Agents) -> None:
    async with agents.provider().open(NOWHERE) as tunnel:
        await tunnel.check()
    assert TOKEN not in str(installer._config_cache)  # noqa: SLF001 - that is where it was


def test_the_agents_words_are_told_without_token_and_addresses(tmp_path: Path) -> None:
    words = StderrTail(SecretStr(TOKEN), lambda: "", tmp_path)
    error = words.refusal(OSError(f"token {TOKEN} at https://studio.ngrok.app/secret failed"))
    assert error.message == "The ngrok agent ended at its start: token … at … failed."


PASSWORD = "p8e%20Top:Secret"
PROXIES = [
    f"http://mia:{PASSWORD}@proxy.studio.example:3128",
    f"mia:{PASSWORD}@proxy.studio.example:3128",
    f"socks5://:{PASSWORD}@proxy.studio.example:1080",
]
PROXY_WORDS = [
    ("Invalid configuration property value for 'http_proxy', '{proxy}': no scheme", Fatal),
    ("failed to dial: {proxy}: Proxy Authentication Required", Fatal),
    ("proxy answered 407 to mia:{password}@proxy.studio.example", Fatal),
    ("proxyconnect tcp: dial tcp: lookup proxy.studio.example ({plain}): no such host", Retry),
]


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize(("words", "kind"), PROXY_WORDS)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTPS_PROXY", "all_proxy"])
def test_a_proxys_trouble_is_told_without_its_password(
    words: str,
    kind: type[PostFlowError],
    proxy: str,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """ngrok repeats what it was given, in the one spelling or the other."""
    monkeypatch.setenv(variable, proxy)
    plain = unquote(PASSWORD)
    said = words.format(proxy=proxy, password=PASSWORD, plain=plain)
    for error in (
        StderrTail(SecretStr(TOKEN), lambda: said, tmp_path).refusal(PyngrokNgrokError("ended")),
        _after_silence(said, tmp_path),
    ):
        assert type(error) is kind
        assert error.code == "tunnel.ngrok.proxy"
        assert "HTTPS_PROXY" in error.hint
        assert not [each for each in (PASSWORD, plain, "Secret") if each in str(error)]


def _after_silence(said: str, folder: Path) -> PostFlowError:
    """As of an agent that goes on trying."""
    words = StderrTail(SecretStr(TOKEN), lambda: "", folder)
    line = said.replace('"', "'")
    words.note(NgrokLog(f'lvl=eror msg="failed to reconnect session" err="{line}"'))
    return words.silence(5)


def test_settings_that_do_not_fit_keep_the_token_to_themselves(agents: Agents) -> None:
    with pytest.raises(ValueError, match="domain") as invalid:
        agents.provider(domain={"authtoken": TOKEN})
    assert TOKEN not in str(invalid.value)
