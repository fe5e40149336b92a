"""Second half of the journey: stacks, shares, webhooks, comments, order, and being refused."""

from __future__ import annotations

from collections.abc import Callable

import frameio
import httpx
from frameio import comments, files, folders, shares, types, version_stacks, webhooks
from uploads import Uploads


class Reviews(Uploads):
    """Steps with files that are there."""

    def version_stack(self, folder: str, versions: list[str]) -> None:
        see, sdk = self.witness.see, self.sdk
        made = see(
            "create a version stack of 2",
            types.VersionStackWithIncludesResponse,
            lambda: sdk.version_stacks.create(
                self.account,
                folder,
                data=version_stacks.VersionStackCreateParamsData(file_ids=versions[:2]),
            ),
        )
        stack = made.data.id
        self.witness.check("the later file is the head", made.data.head_version.id == versions[1])
        see(
            "add a version by move",
            types.FileResponse,
            lambda: sdk.files.move(
                self.account, versions[2], data=files.FileMoveParamsData(parent_id=stack)
            ),
        )
        shown = see(
            "show the version stack",
            types.VersionStackWithIncludesResponse,
            lambda: sdk.version_stacks.show(self.account, stack, include="creator"),
        )
        self.witness.check("the added file is the head", shown.data.head_version.id == versions[2])
        listed = see(
            "list the versions",
            types.VersionStackAssetsWithIncludesResponse,
            lambda: [file.id for file in sdk.version_stacks.index(self.account, stack)],
        )
        self.witness.check("they stand oldest first", listed == versions)

    def share(self, asset: str, other: str) -> None:
        see, sdk = self.witness.see, self.sdk
        made = see(
            "create a share",
            types.ShareResponse,
            lambda: sdk.shares.create(
                self.account,
                self.world["project_id"],
                data=shares.CreateShareParamsData_Asset(
                    name="Dailies", access="public", asset_ids=[asset]
                ),
            ),
        )
        share = made.data.id
        self.witness.check("its link opens", httpx.get(made.data.short_url).status_code == 200)
        see(
            "list shares",
            types.SharesResponse,
            lambda: [*sdk.shares.index(self.account, self.world["project_id"])],
        )
        see("show the share", types.ShareResponse, lambda: sdk.shares.show(self.account, share))
        see(
            "add an asset to the share",
            types.AddAssetResponse,
            lambda: sdk.shares.add_asset(
                self.account, share, data=shares.AddAssetParamsData(asset_id=other)
            ),
        )
        see(
            "list the share's assets",
            types.ShareAssetsResponse,
            lambda: [*sdk.shares.list_assets(self.account, share)],
        )
        see(
            "remove an asset from the share",
            types.RemoveAssetResponse,
            lambda: sdk.shares.remove_asset(self.account, share, other),
        )
        self.reviewers(share, made.data.short_url)
        see("delete the share", None, lambda: sdk.shares.delete(self.account, share))

    def reviewers(self, share: str, link: str) -> None:
        see, sdk = self.witness.see, self.sdk
        emails = ["client@studio.example"]
        see(
            "make the share secure",
            types.ShareResponse,
            lambda: sdk.shares.update(
                self.account, share, data=shares.UpdateShareParamsData(access="secure")
            ),
        )
        see(
            "invite a reviewer",
            None,
            lambda: sdk.shares.add_reviewers(
                self.account,
                share,
                data=shares.AddReviewersToShareParamsData(
                    message="Please look.",
                    reviewers=shares.AddReviewersToShareParamsDataReviewers(emails=emails),
                ),
            ),
        )
        listed = see(
            "list the reviewers",
            types.ShareReviewersResponse,
            lambda: [person.email for person in sdk.shares.list_reviewers(self.account, share)],
        )
        self.witness.check("the invited is one", listed == emails, listed)
        with httpx.Client(follow_redirects=True) as browser:
            browser.post(link, data={"email": emails[0]})
        seen = see(
            "list who looked",
            types.ShareActivityResponse,
            lambda: [
                (it.type, it.user.email if it.user else None)
                for it in sdk.shares.list_activities(self.account, share, include="user").data
            ],
        )
        told = [("share_viewed", None), ("share_viewed", emails[0])]
        self.witness.check("both visits are told", seen == told, seen)
        see(
            "remove the reviewer",
            None,
            lambda: sdk.shares.remove_reviewers(
                self.account,
                share,
                data=shares.RemoveReviewerParamsData(
                    reviewers=shares.RemoveReviewerParamsDataReviewers(emails=emails)
                ),
            ),
        )

    def webhook(self) -> None:
        see, sdk = self.witness.see, self.sdk
        made = see(
            "create a webhook",
            types.WebhookCreateResponse,
            lambda: sdk.webhooks.create(
                self.account,
                self.world["workspace_id"],
                data=webhooks.WebhookCreateParamsData(
                    name="ready", url="http://127.0.0.1:9/hook", events=["file.ready"]
                ),
            ),
        )
        see(
            "list webhooks",
            types.WebhooksWithIncludesResponse,
            lambda: [*sdk.webhooks.index(self.account, self.world["workspace_id"])],
        )
        see(
            "show the webhook",
            types.WebhookWithIncludesResponse,
            lambda: sdk.webhooks.show(self.account, made.data.id, include="creator"),
        )
        see("delete the webhook", None, lambda: sdk.webhooks.delete(self.account, made.data.id))

    def notes(self, file: str) -> None:
        see, sdk = self.witness.see, self.sdk
        see(
            "comment on a frame",
            types.CommentResponse,
            lambda: sdk.comments.create(
                self.account,
                file,
                data=comments.CreateCommentParamsData(text="Nice.", timestamp=12),
            ),
        )
        see(
            "list comments",
            types.CommentsWithIncludesResponse,
            lambda: [*sdk.comments.index(self.account, file, include="owner")],
        )
        see("show metadata", types.MetadataResponse, lambda: sdk.metadata.show(self.account, file))

    def keep_house(self, file: str, folder: str) -> None:
        see, sdk = self.witness.see, self.sdk
        see(
            "rename a file",
            types.FileResponse,
            lambda: sdk.files.update(
                self.account, file, data=files.FileUpdateParamsData(name="renamed.mov")
            ),
        )
        copy = see(
            "copy a file",
            types.FileCopyResponse,
            lambda: sdk.files.copy(
                self.account, file, data=files.FileCopyParamsData(parent_id=folder)
            ),
        )
        see("delete a file", None, lambda: sdk.files.delete(self.account, copy.data.id))

    def refusals(self, folder: str) -> None:
        """Errors come as the SDK's typed exceptions."""
        see, sdk = self.witness.see, self.sdk
        gone = "00000000-0000-4000-8000-000000000000"
        expected = {
            "an unknown file is 404": (
                frameio.NotFoundError,
                lambda: sdk.files.show(self.account, gone),
            ),
            "an empty name is 422": (
                frameio.UnprocessableEntityError,
                lambda: sdk.folders.create(
                    self.account, folder, data=folders.FolderCreateParamsData(name="")
                ),
            ),
        }
        for step, (kind, call) in expected.items():
            refused = see(step, None, lambda kind=kind, call=call: _raises(kind, call))
            self.witness.check(f"{step}, with details", bool(refused), refused)


def _raises(kind: type[Exception], call: Callable[[], object]) -> str:
    try:
        call()
    except kind as error:
        return str(error.body)
    return ""
