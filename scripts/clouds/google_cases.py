"""Cases of docs/clouds.md for Google Cloud Storage."""

from __future__ import annotations

import json
from collections.abc import Callable

from clouds.case import Case, written
from clouds.gcs_emulator import MANY, NAMES
from clouds.http_server import FILE
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
    zone = "POLYGON((3.001 41.546, 3.005 41.546, 3.003 41.549, 3.001 41.546))"
    # 13 MB of pixels.
    fine = f"cog_read('{FILE}', NULL, {{grid: {{crs: 'EPSG:32631', resolution: 0.25}}, resampling: 'nearest'}})"
    forbidden = f"forbidden (HTTP 403), AccessDenied; the request was not signed, host {host}"

    def listings(count: int) -> Callable[[World], None]:
        def check(world: World) -> None:
            found = [request.raw_path for request in world.requests("gcs") if "list-type" in request.query]
            assert len(found) == count, f"expected {count} pages, found {found}"

        return check

    def no_parts_left(world: World) -> None:
        assert not world.google.buckets.parts, world.google.buckets.parts.keys()

    def no_metadata(world: World) -> None:
        assert not world.requests("google-metadata"), world.requests("google-metadata")

    def two_parts(world: World) -> None:
        no_parts_left(world)
        found = sorted(len(request.body) for request in world.requests("gcs") if request.method == "PUT")
        assert len(found) == 2 and found[1] == 8 << 20, f"expected two parts, the first one of 8 MiB, found {found}"

    return [
        Case("Google", "public bucket", "gs://public/a.tif", variables=endpoint),
        Case(
            "Google",
            "private bucket without credentials",
            "gs://private/a.tif",
            forbidden,
            endpoint,
        ),
        Case("Google", "no such object", "gs://public/none.tif", "not found (HTTP 404), NoSuchKey", endpoint),
        Case("Google", "no such bucket", "gs://no-such-bucket/a.tif", "not found (HTTP 404), NoSuchBucket", endpoint),
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
            check=no_parts_left,
        ),
        Case(
            "Google",
            "writing two parts",
            "gs://private/parts.tif",
            "1",
            endpoint | {"TOKEN": "google-bearer-SECRET"},
            {"gs://private/": "bearer_env=TOKEN"},
            steps=[
                f"COPY (SELECT {fine}) TO 'HREF' (FORMAT cog, COMPRESSION none, OVERVIEWS none)",
                f"SELECT (cog_read('HREF').data = ({fine}).data)::INTEGER",
            ],
            check=two_parts,
        ),
        Case(
            "Google",
            "writing without credentials",
            "gs://public/written.tif",
            forbidden,
            endpoint | {"GCE_METADATA_HOST": world.servers["google-metadata"].host},
            {"gs://public/": "anonymous"},
            steps=written("HREF")[:1],
            check=no_metadata,
        ),
        Case(
            "Google",
            "writing to a bucket that is missing",
            "gs://no-such-bucket/written.tif",
            "not found (HTTP 404), NoSuchBucket",
            endpoint | {"TOKEN": "google-bearer-SECRET"},
            {"gs://no-such-bucket/": "bearer_env=TOKEN"},
            steps=written("HREF")[:1],
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
            "token endpoint without a scheme",
            "gs://private/a.tif",
            f"Google credentials file ~/{adc}: not a valid URL for a request",
            endpoint,
            files={adc: json.dumps(user | {"token_uri": "oauth2.googleapis.com"})},
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
            "private key that is none",
            "gs://private/a.tif",
            "Google credentials file ~/key.json: expected client_email and a private_key in PEM",
            endpoint | {"GOOGLE_APPLICATION_CREDENTIALS": file.format("private key that is none")},
            files={"key.json": json.dumps({"type": "service_account", "client_email": "a", "private_key": "b"})},
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
        Case(
            "Google",
            "pixels",
            "gs://private/a.tif",
            variables=endpoint | {"TOKEN": "google-bearer-SECRET"},
            credentials={"gs://private/": "bearer_env=TOKEN"},
            steps=[
                f"SELECT 64 * (cog_read('HREF') = cog_read('{FILE}'))::INTEGER",
                f"SELECT 64 * (cog_zonal_stats('HREF', NULL, '{zone}') = cog_zonal_stats('{FILE}', NULL, '{zone}'))::INTEGER",
            ],
        ),
        Case(
            "Google",
            "items of a pattern",
            "gs://private/items/*.parquet",
            "8",
            endpoint | {"TOKEN": "google-bearer-SECRET"},
            {"gs://private/": "bearer_env=TOKEN"},
            steps=[
                "SELECT count(*) FILTER (rasteret_error IS NULL AND B04_metadata.image_width = 64 AND B08_metadata.dtype = 'uint16') "
                "FROM rasteret_enrich('HREF', bands := ['B04', 'B08'], url_rewrite := MAP {'test/data/': 'gs://private/scenes/'})"
            ],
        ),
        Case(
            "Google",
            "pattern of a private bucket, without credentials",
            "gs://private/*.tif",
            f"{forbidden}: 'gs://private/*.tif'",
            endpoint,
            steps=["SELECT count(*) FROM cog_info('HREF')"],
        ),
        Case(
            "Google",
            "pattern of a bucket that is missing",
            "gs://no-such-bucket/*.tif",
            "not found (HTTP 404), NoSuchBucket: 'gs://no-such-bucket/*.tif'",
            endpoint,
            steps=["SELECT count(*) FROM cog_info('HREF')"],
        ),
        Case(
            "Google",
            "pattern without files",
            "gs://public/*.jpg",
            "no files found that match the pattern: 'gs://public/*.jpg'",
            endpoint,
            steps=["SELECT count(*) FROM cog_info('HREF')"],
        ),
        Case(
            "Google",
            "unusual names",
            "gs://public/names/*.tif",
            str(len(NAMES)),
            endpoint,
            steps=[listed("HREF", [f"gs://public/names/{name}" for name in NAMES])],
            check=listings(1),
        ),
        Case(
            "Google",
            "pattern with two pages",
            "gs://public/many/*99.tif",
            "12",
            endpoint,
            steps=[listed("HREF", [f"gs://public/many/{number:04}.tif" for number in range(99, MANY, 100)])],
            check=listings(2),
        ),
        Case(
            "Google",
            "pattern of all folders",
            "gs://public/**/a.tif",
            "2",
            endpoint,
            steps=[listed("HREF", ["gs://public/a.tif", "gs://public/names/sub/a.tif"])],
            check=listings(2),
        ),
    ]


def listed(pattern: str, expected: list[str]) -> str:
    """A query for the number of files of a pattern; for their names, if they are not the expected ones."""
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in expected)
    found = "list(filename ORDER BY filename)"
    return f"SELECT if({found} = list_sort([{names}]), count(*)::VARCHAR, {found}::VARCHAR) FROM cog_info('{pattern}')"


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
