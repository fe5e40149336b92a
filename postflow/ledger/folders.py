"""Frame.io's folders by their ids: people rename and move them, and clips follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select

from .schema import folders
from .store import Store, insert_into


def folders_at(store: Store, project_id: str, paths: Collection[str]) -> dict[str, str]:
    """The id of each of these paths below the project's root that was met before."""
    query = select(folders.c.path, folders.c.folder_id).where(
        folders.c.project_id == project_id, folders.c.path.in_(paths)
    )
    with store.reading() as connection:
        return {row.path: row.folder_id for row in connection.execute(query)}


def keep_folders(store: Store, project_id: str, ids: Mapping[str, str]) -> None:
    """From now on these paths are those folders."""
    with store.writing() as connection:
        for path, folder_id in ids.items():
            adding = insert_into(connection, folders).values(
                project_id=project_id, path=path, folder_id=folder_id
            )
            here = [folders.c.project_id, folders.c.path]
            values = {"folder_id": folder_id}
            connection.execute(adding.on_conflict_do_update(index_elements=here, set_=values))
