"""Saving a studio's blocks as rarely as can be: each costs some calls to the Prefect server."""

from __future__ import annotations

from typing import Any

Tables = dict[str, Any]


class StudioKeeper:
    """Knows what it has saved, and saves the blocks that differ."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._saved: Tables = {}

    async def save(self, tables: Tables) -> None:
        from postflow.service.save_studio import save_studio
        from postflow.service.studio_file import StudioFile

        if self._shape(tables) != self._shape(self._saved):
            await save_studio(StudioFile.model_validate(tables))
            self._saved = tables | {"adobe": "perhaps with the sign-in of an earlier test"}
        await self._save_parts(tables)
        self._saved = tables

    def forget(self) -> None:
        """Somebody else has changed the studio."""
        self._saved = {}

    async def _save_parts(self, tables: Tables) -> None:
        from postflow.blocks.studio import Studio

        parts = await Studio.aload(self._name)
        for table, values in tables.items():
            if table != "studio" and values != self._saved[table]:
                part = type(getattr(parts, table))(
                    **values, **({"adobe": parts.adobe} if table == "frameio" else {})
                )
                await part.asave(f"{self._name}-{table}", overwrite=True)

    @staticmethod
    def _shape(tables: Tables) -> Tables:
        """What the Studio block itself holds: its own fields, and which parts there are."""
        return {"studio": tables.get("studio"), "parts": {k for k, v in tables.items() if v}}
