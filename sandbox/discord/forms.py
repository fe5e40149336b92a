"""What Discord accepts as a message, and how it says no.

Limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
Errors: https://discord.com/developers/docs/reference#error-messages
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from .components import Row

Json = dict[str, Any]

MAX_EMBED_TOTAL = 6000
EMPTY_MESSAGE = 50006
INVALID_FORM = 50035


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, "code": code, **more}


def _web_url(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https", "attachment"} or not urlsplit(url).netloc:
        raise PydanticCustomError("url", "Not a well formed URL.")
    return url


Url = Annotated[str, Field(max_length=2048), AfterValidator(_web_url)]


class _Form(BaseModel):
    """Unknown keys are left aside, as Discord does; types are not bent."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Footer(_Form):
    text: str = Field(min_length=1, max_length=2048)
    icon_url: Url | None = None


class Media(_Form):
    url: Url


class Author(_Form):
    name: str = Field(min_length=1, max_length=256)
    url: Url | None = None
    icon_url: Url | None = None


class EmbedField(_Form):
    name: str = Field(min_length=1, max_length=256)
    value: str = Field(min_length=1, max_length=1024)
    inline: bool = False


class Embed(_Form):
    title: str | None = Field(None, max_length=256)
    description: str | None = Field(None, max_length=4096)
    url: Url | None = None
    color: int | None = Field(None, ge=0, le=0xFFFFFF)
    timestamp: Annotated[datetime, Field(strict=False)] | None = None
    footer: Footer | None = None
    image: Media | None = None
    thumbnail: Media | None = None
    author: Author | None = None
    fields: list[EmbedField] = Field(default_factory=list, max_length=25)

    def characters(self) -> int:
        texts = [self.title, self.description]
        texts += [self.footer.text if self.footer else "", self.author.name if self.author else ""]
        texts += [text for field in self.fields for text in (field.name, field.value)]
        return sum(len(text or "") for text in texts)


Snowflake = Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
_ROLE = re.compile(r"(?<!\\)<@&([0-9]{1,20})>")


class AllowedMentions(_Form):
    """Without it everything is parsed that a content mentions."""

    parse: list[Literal["everyone", "users", "roles"]] = Field(default_factory=list)
    users: list[Snowflake] = Field(default_factory=list, max_length=100)
    roles: list[Snowflake] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        if ("roles" in self.parse and self.roles) or ("users" in self.parse and self.users):
            raise PydanticCustomError("mutual", "parse and ids of one kind are mutually exclusive")
        return self


_EVERYTHING = AllowedMentions(parse=["everyone", "users", "roles"])


class Attached(_Form):
    """An attachment that stays, by its id, or the file of that number in the request."""

    id: Annotated[int | Snowflake, Field(union_mode="left_to_right")]
    filename: str | None = Field(None, min_length=1, max_length=260, pattern=r"^[^/\\]+$")
    description: str | None = Field(None, max_length=1024)


class MessageForm(_Form):
    """The body of POST and PATCH."""

    content: str | None = Field(None, max_length=2000)
    embeds: list[Embed] | None = Field(None, max_length=10)
    username: str | None = Field(None, min_length=1, max_length=80)
    avatar_url: Url | None = None
    tts: bool = False
    allowed_mentions: AllowedMentions | None = None
    thread_name: str | None = Field(None, min_length=1, max_length=100)
    applied_tags: list[Snowflake] = Field(default_factory=list, max_length=5)
    attachments: list[Attached] | None = Field(None, max_length=10)
    components: list[Row] | None = Field(None, max_length=5)

    @model_validator(mode="after")
    def _within_total(self) -> MessageForm:
        if sum(embed.characters() for embed in self.embeds or []) > MAX_EMBED_TOTAL:
            raise PydanticCustomError("total", "Embed size exceeds maximum size of 6000")
        return self

    def written(self) -> Json:
        """What the caller wrote of content, embeds and buttons, as Discord keeps it."""
        given: Json = {}
        if "content" in self.model_fields_set:
            given["content"] = self.content or ""
        if "embeds" in self.model_fields_set:
            given["embeds"] = [
                {"type": "rich", **embed.model_dump(mode="json", exclude_none=True)}
                for embed in self.embeds or []
            ]
        if "components" in self.model_fields_set:
            given["components"] = [
                row.model_dump(mode="json", exclude_none=True) for row in self.components or []
            ]
        return given

    def mentioned(self) -> Json:
        """Whom the content mentions, of those that the call allows; embeds mention nobody."""
        allowed = self.allowed_mentions or _EVERYTHING
        roles = dict.fromkeys(_ROLE.findall(self.content or ""))
        every = "@everyone" in (self.content or "")
        return {
            "mention_everyone": every and "everyone" in allowed.parse,
            "mention_roles": [
                each for each in roles if "roles" in allowed.parse or each in allowed.roles
            ],
        }


def read_form(body: object, *, with_components: bool = False) -> MessageForm:
    """Raises Refusal 400 with Discord's tree of errors. Components are left aside unless the call
    asks for them: https://discord.com/developers/docs/resources/webhook#execute-webhook
    """
    if isinstance(body, dict) and not with_components:
        body = {key: value for key, value in body.items() if key != "components"}
    try:
        return MessageForm.model_validate(body)
    except ValidationError as error:
        raise Refusal(400, INVALID_FORM, "Invalid Form Body", errors=_tree(error)) from error


def _tree(error: ValidationError) -> Json:
    tree: Json = {}
    for problem in error.errors(include_url=False):
        branch = tree
        for step in problem["loc"] or ("embeds",):
            branch = branch.setdefault(str(step), {})
        branch.setdefault("_errors", []).append(_complaint(dict(problem)))
    return tree


def _complaint(problem: Json) -> Json:
    code, text = _COMPLAINTS.get(problem["type"], ("BASE_TYPE_BAD_TYPE", problem["msg"]))
    return {"code": code, "message": text.format(**problem.get("ctx", {}))}


_COMPLAINTS = {
    "string_too_long": ("BASE_TYPE_MAX_LENGTH", "Must be {max_length} or fewer in length."),
    "string_too_short": ("BASE_TYPE_REQUIRED", "This field is required"),
    "missing": ("BASE_TYPE_REQUIRED", "This field is required"),
    "too_long": ("BASE_TYPE_BAD_LENGTH", "Must be between 0 and {max_length} in length."),
    "greater_than_equal": ("NUMBER_TYPE_MIN", "int value should be greater than or equal to {ge}."),
    "less_than_equal": ("NUMBER_TYPE_MAX", "int value should be less than or equal to {le}."),
    "url": ("URL_TYPE_INVALID_URL", "Not a well formed URL."),
    "total": ("MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000"),
    "mutual": ("MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", "They are mutually exclusive."),
    "link": ("COMPONENT_CUSTOM_ID_AND_URL", "A custom id and url cannot both be specified"),
    "string_pattern_mismatch": ("NUMBER_TYPE_COERCE", "Value is not snowflake."),
    "literal_error": ("BASE_TYPE_CHOICES", "Value must be one of {{{expected}}}."),
}
