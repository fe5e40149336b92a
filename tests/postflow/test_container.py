"""What Dockerfile and compose.yaml name is there; neither is built or run here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prefect.settings import Settings
from ruamel.yaml import YAML

from tests.test_docs import text

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(text(ROOT / "compose.yaml"))


def test_what_is_copied_into_the_image_is_all_that_the_wheel_is_made_of() -> None:
    lines = re.findall(r"^COPY (?!--)(.+) \S+$", text(ROOT / "Dockerfile"), re.MULTILINE)
    copied = {name for line in lines for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    project = text(ROOT / "pyproject.toml")
    (force,) = re.findall(r"force-include\]\n((?:.+\n)+)", project)
    assert set(re.findall(r'^"?([\w.]+)"? =', force, re.MULTILINE)) <= copied


def test_services_name_volumes_services_and_settings_that_exist() -> None:
    known = known_settings()
    for service in COMPOSE["services"].values():
        named = {volume.partition(":")[0] for volume in service["volumes"]}
        assert {each for each in named if "$" not in each} <= COMPOSE["volumes"].keys()
        assert service.get("depends_on", {}).keys() <= COMPOSE["services"].keys()
        assert {each for each in service["environment"] if each.startswith("PREFECT_")} <= known


def known_settings() -> set[str]:
    told = str(Settings().to_environment_variables()) + str(Settings.model_json_schema())
    return set(re.findall(r"PREFECT_[A-Z_]+", told))


def test_what_compose_takes_from_the_environment_is_documented() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?\}", text(ROOT / "compose.yaml")))
    assert asked == set(re.findall(r"^([A-Z_]+)=", text(ROOT / "docs/install.md"), re.MULTILINE))
