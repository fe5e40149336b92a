"""The Frame.io V4 calls we make, each with its documented rate.

Paths, rates and page sizes: https://api.frame.io/v4/openapi.json. The rates only seed the pacing;
the `x-ratelimit-*` headers of every answer correct them.
"""

from __future__ import annotations

from dataclasses import dataclass

from postflow.language import N_

_ACCOUNT = "/v4/accounts/{account_id}"
_FOLDER = _ACCOUNT + "/folders/{folder_id}"
_FILE = _ACCOUNT + "/files/{file_id}"
_SHARE = _ACCOUNT + "/shares/{share_id}"
_STACK = _ACCOUNT + "/version_stacks/{stack_id}"

MINUTE = 60.0
SECOND = 1.0
PAGE = 100
FOLDER_PAGE = 500


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`doing` completes "Frame.io refused to …"; `calls` per `window` seconds; `page` is the
    largest page of a list."""

    method: str
    path: str
    doing: str
    calls: int = 100
    window: float = MINUTE
    page: int = 0


def _list(
    path: str, doing: str, *, page: int, calls: int = 100, window: float = MINUTE
) -> Endpoint:
    return Endpoint("GET", path, doing, calls, window, page)


ME = Endpoint("GET", "/v4/me", N_("say who is signed in"))
ACCOUNTS = _list("/v4/accounts", N_("list the accounts"), page=PAGE)
WORKSPACES = _list(_ACCOUNT + "/workspaces", N_("list the workspaces"), page=PAGE)
PROJECTS = _list(_ACCOUNT + "/projects", N_("list the projects"), page=PAGE)
WORKSPACE_PROJECTS = _list(
    _ACCOUNT + "/workspaces/{workspace_id}/projects", N_("list the projects"), page=PAGE
)
PROJECT = Endpoint("GET", _ACCOUNT + "/projects/{project_id}", N_("show the project"))

FOLDERS = _list(
    _FOLDER + "/folders", N_("list the folders"), page=FOLDER_PAGE, calls=5, window=SECOND
)
CREATE_FOLDER = Endpoint("POST", _FOLDER + "/folders", N_("create the folder"), 3, SECOND)
FOLDER = Endpoint("GET", _FOLDER, N_("show the folder"))
DELETE_FOLDER = Endpoint("DELETE", _FOLDER, N_("delete the folder"), 60)
CHILDREN = _list(_FOLDER + "/children", N_("list the folder"), page=FOLDER_PAGE)

FILES = _list(_FOLDER + "/files", N_("list the files"), page=FOLDER_PAGE, calls=5, window=SECOND)
REMOTE_UPLOAD = Endpoint("POST", _FOLDER + "/files/remote_upload", N_("fetch the file"), 5, SECOND)
LOCAL_UPLOAD = Endpoint("POST", _FOLDER + "/files/local_upload", N_("take the file in"), 5, SECOND)
UPLOAD_STATUS = Endpoint("GET", _FILE + "/status", N_("tell how the upload stands"), 5, SECOND)
FILE = Endpoint("GET", _FILE, N_("show the file"), 10, SECOND)
MOVE_FILE = Endpoint("PATCH", _FILE + "/move", N_("move the file"))
DELETE_FILE = Endpoint("DELETE", _FILE, N_("delete the file"))

STACKS = _list(
    _FOLDER + "/version_stacks",
    N_("list the version stacks"),
    page=FOLDER_PAGE,
    calls=5,
    window=SECOND,
)
CREATE_STACK = Endpoint("POST", _FOLDER + "/version_stacks", N_("create the version stack"), 10)
STACK = Endpoint("GET", _STACK, N_("show the version stack"))
STACK_VERSIONS = _list(_STACK + "/children", N_("list the versions"), page=PAGE)

SHARES = _list(_ACCOUNT + "/projects/{project_id}/shares", N_("list the share links"), page=PAGE)
CREATE_SHARE = Endpoint(
    "POST", _ACCOUNT + "/projects/{project_id}/shares", N_("create the share link"), 10
)
SHARE = Endpoint("GET", _SHARE, N_("show the share link"))
SHARED_ASSETS = _list(_SHARE + "/assets", N_("list what the share link opens"), page=PAGE)
ADD_SHARED_ASSET = Endpoint("POST", _SHARE + "/assets", N_("add to the share link"), 10)
REVIEWERS = _list(_SHARE + "/reviewers", N_("list the reviewers"), page=PAGE, calls=10)
ADD_REVIEWERS = Endpoint("POST", _SHARE + "/reviewers", N_("invite the reviewers"), 10)
ACTIVITIES = _list(_SHARE + "/activities", N_("tell who looked"), page=PAGE)
