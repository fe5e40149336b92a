"""What a command tells of the Prefect it needs."""

from __future__ import annotations

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from postflow.cli.engine import tell_start


@pytest.mark.parametrize(
    ("api_url", "told"),
    [(None, "Starting Prefect …\n"), ("http://127.0.0.1:4200/api", "")],
)
def test_a_server_for_this_command_alone_is_announced(
    api_url: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings({PREFECT_API_URL: api_url}):
        tell_start()
    assert capsys.readouterr() == ("", told)
