"""Cases of docs/clouds.md for Google Cloud Storage."""

from __future__ import annotations

import json

from clouds.case import Case, written
from clouds.world import World


def google_cases(world: World) -> list[Case]:
    endpoint = {"STORAGE_EMULATOR_HOST": world.url("gcs")}
    token_url = world.url("google")
    host = world.servers["gcs"].host
    user = {
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "refresh-SECRET",
        "token_uri": f"{token_url}/token",
    }
    external = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{token_url}/sts",
        "service_account_impersonation_url": f"{token_url}/impersonate",
        "credential_source": {"file": f"{world.folder}/external account/subject"},
    }
    adc = ".config/gcloud/application_default_credentials.json"
    file = f"{world.folder}/{{}}/key.json"
    read = "SELECT cog_metadata('HREF').image_width"

    return [
        Case("Google", "public bucket", "gs://public/a.tif", variables=endpoint),
        Case(
            "Google",
            "private bucket without credentials",
            "gs://private/a.tif",
            f"forbidden (HTTP 403), AccessDenied; the request was not signed, host {host}",
            endpoint,
        ),
        Case(
            "Google",
            "service account",
            "gs://signed/a.tif",
            variables=endpoint | {"GOOGLE_APPLICATION_CREDENTIALS": file.format("service account")},
            files={"key.json": service_account()},
        ),
        Case(
            "Google",
            "writing with a service account",
            "gs://signed/written.tif",
            variables=endpoint | {"GOOGLE_APPLICATION_CREDENTIALS": file.format("writing with a service account")},
            files={"key.json": service_account()},
            steps=written("HREF"),
        ),
        Case("Google", "login of gcloud", "gs://private/a.tif", variables=endpoint, files={adc: json.dumps(user)}),
        Case(
            "Google",
            "login of gcloud, revoked",
            "gs://private/a.tif",
            f"Google credentials file ~/{adc}: no token from 127.0.0.1: request refused (HTTP 400), invalid_grant",
            endpoint,
            files={adc: json.dumps(user | {"refresh_token": "old-SECRET"})},
        ),
        Case(
            "Google",
            "token that is refused, renewed",
            "gs://private/a.tif",
            variables=endpoint,
            files={adc: json.dumps(user)},
            steps=[read, f"GET {world.url('control')}/revoke-google", read.replace("HREF", "gs://private/b.tif")],
        ),
        Case(
            "Google",
            "file of a rule",
            "gs://private/a.tif",
            variables=endpoint,
            credentials={"gs://private/": f"credentials_file={file.format('file of a rule')}"},
            files={"key.json": json.dumps(user)},
        ),
        Case(
            "Google",
            "requester pays, without a project",
            "gs://paid/a.tif",
            "request refused (HTTP 400), UserProjectMissing",
            endpoint,
            files={adc: json.dumps(user)},
        ),
        Case(
            "Google",
            "requester pays",
            "gs://paid/a.tif",
            variables=endpoint,
            credentials={"gs://paid/": "user_project=my-project"},
            files={adc: json.dumps(user)},
        ),
        Case(
            "Google",
            "requester pays for all",
            "gs://paid/a.tif",
            variables=endpoint | {"GS_USER_PROJECT": "my-project"},
            files={adc: json.dumps(user)},
        ),
        Case(
            "Google",
            "external account",
            "gs://private/a.tif",
            variables=endpoint | {"GOOGLE_APPLICATION_CREDENTIALS": file.format("external account")},
            files={"key.json": json.dumps(external), "subject": "subject-SECRET\n"},
        ),
        Case(
            "Google",
            "metadata service",
            "gs://private/a.tif",
            variables=endpoint | {"GCE_METADATA_HOST": world.servers["google-metadata"].host},
            credentials={"gs://private/": "metadata_service"},
        ),
        Case(
            "Google",
            "type that is not supported",
            "gs://private/a.tif",
            "Google credentials file ~/key.json: type impersonated_service_account is not supported (expected service_account, "
            "authorized_user or external_account)",
            endpoint | {"GOOGLE_APPLICATION_CREDENTIALS": file.format("type that is not supported")},
            files={"key.json": json.dumps({"type": "impersonated_service_account"})},
        ),
        Case(
            "Google",
            "bearer token",
            "gs://private/a.tif",
            variables=endpoint | {"TOKEN": "google-bearer-SECRET"},
            credentials={"gs://private/": "bearer_env=TOKEN"},
        ),
    ]


def service_account() -> str:
    """Returns a Google key file with a new private key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "reader@project.iam.gserviceaccount.com",
            "private_key_id": "1",
            "private_key": pem,
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )
