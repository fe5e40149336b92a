"""The whole journey as one call that answers instead of raising."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from postflow.engine.studio import open_studio
from postflow.errors import PostFlowError, engine_trouble
from postflow.models import UploadResult

from .deliver import deliver


async def upload_file_to_frameio(
    file_path: str | Path,
    discord_webhook_url: str | None = None,
    project_name: str | None = None,
    scene_name: str | None = None,
    shot_name: str | None = None,
    studio: str = "main",
) -> UploadResult:
    """Deliver a clip. Foreseeable failures are in the result, with their remedy; nothing is raised.

    What is None is the studio's, or read from the file's name.
    """
    webhook = SecretStr(discord_webhook_url) if discord_webhook_url else None
    try:
        async with open_studio(studio, discord_webhook=webhook) as live:
            delivery = await deliver(
                Path(file_path),
                studio=studio,
                project=project_name,
                scene=scene_name,
                shot=shot_name,
            )
    except PostFlowError as error:
        return _failed(error)
    except Exception as error:
        if (trouble := engine_trouble(error)) is None:
            raise
        return _failed(trouble)
    return UploadResult(
        success=True,
        view_url=delivery.view_url,
        file_id=delivery.file_id,
        folder_id=delivery.folder_id,
        project_id=delivery.project_id,
        not_told=live.not_told.get(delivery.media.name),
    )


def _failed(error: PostFlowError) -> UploadResult:
    return UploadResult(success=False, error=error.message, hint=error.hint, code=error.code)
