"""The kinds of Adobe credential, as the Adobe Developer Console names them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, SecretStr

from postflow.models import Moment

# Without additional_info.roles every Frame.io call answers 401, token valid or not.
USER_SCOPES = ("openid", "email", "profile", "offline_access", "additional_info.roles")
SERVICE_SCOPES = ("openid", "AdobeID", "frame.s2s.all")


class _Credential(Moment):
    model_config = ConfigDict(hide_input_in_errors=True)

    client_id: str


class WebCredential(_Credential):
    """OAuth Web App: a person signs in, the app keeps a secret."""

    kind: Literal["web"] = "web"
    client_secret: SecretStr
    scopes: tuple[str, ...] = USER_SCOPES


class NativeCredential(_Credential):
    """OAuth Native App or Single-Page App: a person signs in, PKCE instead of a secret."""

    kind: Literal["native"] = "native"
    scopes: tuple[str, ...] = USER_SCOPES


class ServiceCredential(_Credential):
    """OAuth Server-to-Server: nobody signs in; needs an account run from Adobe's Admin Console."""

    kind: Literal["service"] = "service"
    client_secret: SecretStr
    scopes: tuple[str, ...] = SERVICE_SCOPES


UserCredential = WebCredential | NativeCredential
Credential = Annotated[
    WebCredential | NativeCredential | ServiceCredential, Field(discriminator="kind")
]
