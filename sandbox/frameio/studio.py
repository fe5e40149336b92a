"""Who and what there is at the start: people, the account, its workspace and projects."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .assets import Folder, Tree, new_id, now


@dataclass(eq=False, kw_only=True)
class User:
    name: str
    email: str
    id: str = field(default_factory=new_id)


@dataclass(eq=False, kw_only=True)
class Account:
    display_name: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(eq=False, kw_only=True)
class Workspace:
    name: str
    account_id: str
    creator_id: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(eq=False, kw_only=True)
class Project:
    name: str
    workspace_id: str
    root_folder_id: str
    owner_id: str
    id: str
    restricted: bool = False
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)


class Studio:
    """One account with one workspace. Ids survive a reset; projects made later do not."""

    def __init__(self, project_name: str) -> None:
        self.person = User(name="Studio Operator", email="operator@studio.example")
        self.service = User(
            name="Service Account User", email="service-account@techacct.adobe.example"
        )
        self.account = Account(display_name="Studio")
        self.workspace = Workspace(
            name="Main", account_id=self.account.id, creator_id=self.person.id
        )
        self._first = (project_name, new_id(), new_id())
        self.projects: dict[str, Project] = {}

    @property
    def first_project(self) -> Project:
        return self.projects[self._first[1]]

    def user(self, user_id: str) -> User:
        return self.service if user_id == self.service.id else self.person

    def settle(self, tree: Tree) -> None:
        """Forget all projects but the first, and give that an empty root folder."""
        self.projects.clear()
        name, project_id, root_id = self._first
        self.open_project(tree, name, self.person, ids=(project_id, root_id))

    def open_project(
        self, tree: Tree, name: str, owner: User, *, ids: tuple[str, str] | None = None
    ) -> Project:
        project_id, root_id = ids or (new_id(), new_id())
        root = Folder(
            id=root_id, name=name, project_id=project_id, parent_id=None, creator_id=owner.id
        )
        project = Project(
            id=project_id,
            name=name,
            workspace_id=self.workspace.id,
            root_folder_id=tree.add(root).id,
            owner_id=owner.id,
        )
        self.projects[project.id] = project
        return project
