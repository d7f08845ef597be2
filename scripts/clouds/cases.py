"""The cases of docs/clouds.md: what a user writes, and what comes of it."""

from __future__ import annotations

import datetime
import hashlib
import json
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clouds import azurite
from clouds.aws import SAML_TOKEN, SSO_TOKEN
from clouds.web import API_KEY, BEARER, PASSWORD, USER
from clouds.world import World

READ = "64"


@dataclass
class Case:
    """One row of the table, and one process."""

    cloud: str
    name: str
    href: str
    expected: str = READ
    variables: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, str] | None = None
    # Below the home directory; a value that is a list is JSON lines of a program.
    files: dict[str, str] = field(default_factory=dict)
    # Asked instead of the header of the href, HREF standing for it.
    steps: list[str] = field(default_factory=list)
    check: Callable[[World], None] | None = None
    settings: dict[str, object] = field(default_factory=dict)


def aws_cases(world: World) -> list[Case]:
    one = {"AWS_ACCESS_KEY_ID": "AKIAONE", "AWS_SECRET_ACCESS_KEY": "one-SECRET"}
    endpoint = {"AWS_ENDPOINT_URL_S3": world.url("s3")}
    sts = {"AWS_ENDPOINT_URL_STS": world.url("sts")}
    sso = {"AWS_ENDPOINT_URL_SSO": world.url("sso"), "AWS_ENDPOINT_URL_SSO_OIDC": world.url("sso")}
    keys = "[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
    two_accounts = {
        ".aws/credentials": keys.format("first", "AKIAONE", "one-SECRET")
        + keys.format("second", "AKIATWO", "two-SECRET")
    }
    host = world.servers["s3"].host
    refused = f"forbidden (HTTP 403), AccessDenied; the request was {{}}, region us-east-1, host {host}"
    process = json.dumps({"Version": 1, "AccessKeyId": "AKIAONE", "SecretAccessKey": "one-SECRET"})
    start_url = "https://company.awsapps.com/start"
    session_file = f".aws/sso/cache/{hashlib.sha1(b'company').hexdigest()}.json"
    later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    sso_profile = (
        "[profile sso]\nsso_session = company\nsso_account_id = 111122223333\nsso_role_name = reader\n"
        f"[sso-session company]\nsso_region = us-east-1\nsso_start_url = {start_url}\n"
    )
    renew = "SELECT cog_metadata('HREF').image_width"
    role = "[profile role]\nrole_arn = arn:aws:iam::1:role/one\nsource_profile = base\n"

    def one_header_each(count: int) -> Callable[[World], None]:
        def check(world: World) -> None:
            found = [request.path for request in world.requests("s3")]
            assert len(found) == count, f"expected {count} requests of S3, found {found}"

        return check

    return [
        Case("S3", "public bucket", "s3://public/a.tif", variables=endpoint, check=one_header_each(1)),
        Case("S3", "private bucket without credentials", "s3://one/a.tif", refused.format("not signed"), endpoint),
        Case("S3", "keys", "s3://one/a.tif", variables=endpoint | one, check=one_header_each(1)),
        Case(
            "S3",
            "session token",
            "s3://one/a.tif",
            variables=endpoint
            | {
                "AWS_ACCESS_KEY_ID": "ASIAONE",
                "AWS_SECRET_ACCESS_KEY": "session-SECRET",
                "AWS_SESSION_TOKEN": "session-token-SECRET",
            },
        ),
        Case(
            "S3",
            "expired session token",
            "s3://one/a.tif",
            "request refused (HTTP 400), ExpiredToken; the request was signed with AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN, "
            f"region us-east-1, host {host}",
            endpoint
            | {
                "AWS_ACCESS_KEY_ID": "ASIAOLD",
                "AWS_SECRET_ACCESS_KEY": "old-SECRET",
                "AWS_SESSION_TOKEN": "old-token-SECRET",
            },
        ),
        Case(
            "S3",
            "wrong secret key",
            "s3://one/a.tif",
            "forbidden (HTTP 403), SignatureDoesNotMatch; the request was signed with AWS_ACCESS_KEY_ID, "
            f"region us-east-1, host {host}",
            endpoint | {"AWS_ACCESS_KEY_ID": "AKIAONE", "AWS_SECRET_ACCESS_KEY": "wrong-SECRET"},
        ),
        Case(
            "S3",
            "bucket of another account",
            "s3://two/a.tif",
            refused.format("signed with AWS_ACCESS_KEY_ID"),
            endpoint | one,
        ),
        Case(
            "S3",
            "keys, but anonymous",
            "s3://public/a.tif",
            variables=endpoint | one,
            credentials={"s3://public/": "anonymous"},
        ),
        Case("S3", "wrong region", "s3://far/a.tif", variables=endpoint | one, check=one_header_each(2)),
        Case(
            "S3",
            "region of a rule",
            "s3://far/a.tif",
            variables=endpoint | one,
            credentials={"s3://far/": "region=eu-west-1"},
            check=one_header_each(1),
        ),
        Case(
            "S3",
            "requester pays, not agreed to",
            "s3://paid/a.tif",
            refused.format("signed with AWS_ACCESS_KEY_ID"),
            endpoint | one,
        ),
        Case(
            "S3",
            "requester pays",
            "s3://paid/a.tif",
            variables=endpoint | one,
            credentials={"s3://paid/": "requester_pays"},
        ),
        Case(
            "S3",
            "requester pays for all",
            "s3://paid/a.tif",
            variables=endpoint | one | {"AWS_REQUEST_PAYER": "requester"},
        ),
        Case(
            "S3",
            "default profile",
            "s3://one/a.tif",
            variables=endpoint,
            files={".aws/credentials": keys.format("default", "AKIAONE", "one-SECRET")},
        ),
        Case(
            "S3",
            "profile of `AWS_PROFILE`",
            "s3://two/a.tif",
            variables=endpoint | {"AWS_PROFILE": "second"},
            files=two_accounts,
        ),
        Case(
            "S3",
            "two accounts",
            "s3://one/a.tif",
            variables=endpoint,
            files=two_accounts,
            credentials={"s3://one/": "profile=first", "s3://two/": "profile=second"},
            steps=[
                "SELECT count(cog_metadata(href).image_width) * 32 FROM (VALUES ('s3://one/a.tif'), ('s3://two/a.tif')) t(href)"
            ],
        ),
        Case(
            "S3",
            "no such profile",
            "s3://one/a.tif",
            "no AWS profile 'wrok' in the config and credentials files",
            endpoint,
            {"s3://one/": "profile=wrok"},
            two_accounts,
        ),
        Case(
            "S3",
            "region and endpoint of a profile",
            "s3://far/a.tif",
            credentials={"s3://far/": "profile=far"},
            files={
                ".aws/credentials": keys.format("far", "AKIAONE", "one-SECRET"),
                ".aws/config": f"[profile far]\nregion = eu-west-1\nendpoint_url = {world.url('s3')}\n",
            },
            check=one_header_each(1),
        ),
        Case(
            "S3",
            "role of a profile",
            "s3://two/a.tif",
            variables=endpoint | sts,
            credentials={"s3://two/": "profile=role"},
            files={
                ".aws/credentials": keys.format("base", "AKIAONE", "one-SECRET"),
                ".aws/config": role.replace("role/one", "role/two"),
            },
        ),
        Case(
            "S3",
            "role of a profile, refused",
            "s3://two/a.tif",
            "AWS profile 'role': no credentials for role arn:aws:iam::1:role/one: no token from 127.0.0.1: forbidden (HTTP 403), "
            "SignatureDoesNotMatch",
            endpoint | sts,
            {"s3://two/": "profile=role"},
            {".aws/credentials": keys.format("base", "AKIAONE", "wrong-SECRET"), ".aws/config": role},
        ),
        Case(
            "S3",
            "role that expires, renewed",
            "s3://one/a.tif",
            variables=endpoint | sts,
            credentials={"s3://one/": "profile=role"},
            files={".aws/credentials": keys.format("base", "AKIAONE", "one-SECRET"), ".aws/config": role},
            steps=[
                renew,
                f"GET {world.url('control')}/expire-aws",
                renew.replace("a.tif", "b.tif").replace("HREF", "s3://one/b.tif"),
            ],
        ),
        Case(
            "S3",
            "`credential_process`",
            "s3://one/a.tif",
            variables=endpoint | {"AWS_PROFILE": "process"},
            files={".aws/config": "[profile process]\ncredential_process = cat ~/keys.json\n", "keys.json": process},
        ),
        Case(
            "S3",
            "`credential_process` that fails",
            "s3://one/a.tif",
            "AWS profile 'process': credential_process failed (exit status: 3)",
            endpoint | {"AWS_PROFILE": "process"},
            files={".aws/config": "[profile process]\ncredential_process = echo a-SECRET; exit 3\n"},
        ),
        Case(
            "S3",
            "single sign-on",
            "s3://one/a.tif",
            variables=endpoint | sso | {"AWS_PROFILE": "sso"},
            files={
                ".aws/config": sso_profile,
                session_file: json.dumps({"accessToken": SSO_TOKEN, "expiresAt": later}),
            },
        ),
        Case(
            "S3",
            "single sign-on, refreshed",
            "s3://one/a.tif",
            variables=endpoint | sso | {"AWS_PROFILE": "sso"},
            files={
                ".aws/config": sso_profile,
                session_file: json.dumps(
                    {
                        "accessToken": "old",
                        "expiresAt": "2020-01-01T00:00:00Z",
                        "clientId": "c",
                        "clientSecret": "s",
                        "refreshToken": "refresh-SECRET",
                    }
                ),
            },
        ),
        Case(
            "S3",
            "single sign-on, expired",
            "s3://one/a.tif",
            "AWS profile 'sso': the token of single sign-on has expired: run aws sso login --profile sso",
            endpoint | sso | {"AWS_PROFILE": "sso"},
            files={
                ".aws/config": sso_profile,
                session_file: json.dumps({"accessToken": SSO_TOKEN, "expiresAt": "2020-01-01T00:00:00Z"}),
            },
        ),
        Case(
            "S3",
            "web identity",
            "s3://one/a.tif",
            variables=endpoint
            | sts
            | {
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/one",
                "AWS_WEB_IDENTITY_TOKEN_FILE": f"{world.folder}/web identity/token",
            },
            files={"token": SAML_TOKEN},
        ),
        Case(
            "S3",
            "web identity, refused",
            "s3://one/a.tif",
            "no credentials for role arn:aws:iam::1:role/one: no token from 127.0.0.1: request refused (HTTP 400), InvalidIdentityToken",
            endpoint
            | sts
            | {
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/one",
                "AWS_WEB_IDENTITY_TOKEN_FILE": f"{world.folder}/web identity, refused/token",
            },
            files={"token": "another-SECRET"},
        ),
        Case(
            "S3",
            "a listing, signed",
            "s3://one/dir/*.tif",
            "2",
            credentials={"s3://one/dir/": "profile=first"},
            variables=endpoint,
            files=two_accounts,
            steps=["SELECT count(*) FROM cog_metadata('HREF')"],
        ),
        Case(
            "S3",
            "value that is not understood",
            "s3://one/a.tif",
            "setting rasteret_credentials: prefix 's3://one/': expected anonymous, environment, profile=NAME, metadata_service, "
            "requester_pays, region=NAME, endpoint=URL, found 'secret_key=' with another value",
            endpoint,
            {"s3://one/": "secret_key=a-SECRET"},
        ),
    ]


def azure_cases(world: World) -> list[Case]:
    url = world.azurite
    host = url.removeprefix("http://")
    key = azurite.ACCOUNTS
    connection = {name: f"AccountName={name};AccountKey={key[name]};BlobEndpoint={url}/{name}" for name in key}
    one = {"AZURE_STORAGE_ENDPOINT": f"{url}/one"}
    refused = "forbidden (HTTP 403), {}; the request was {}, host " + host
    entra = world.url("entra")
    of_entra = {
        "AZURE_STORAGE_ACCOUNT_NAME": "one",
        "AZURE_STORAGE_ENDPOINT": f"{entra}/one",
        "AZURE_AUTHORITY_HOST": entra,
        "AZURE_CLIENT_ID": "client",
        "AZURE_TENANT_ID": "tenant",
    }
    blob = "az://one.blob.core.windows.net/data/dir/a.tif"

    def asked(count: int) -> Callable[[World], None]:
        def check(world: World) -> None:
            found = len(world.requests("signer"))
            assert found == count, f"expected {count} requests of the signing endpoint, found {found}"

        return check

    return [
        Case("Azure", "public container", "az://one.blob.core.windows.net/open/dir/a.tif", variables=one),
        Case(
            "Azure",
            "private container without credentials",
            blob,
            refused.format("AuthorizationFailure", "not signed"),
            one,
        ),
        Case(
            "Azure",
            "account key",
            blob,
            variables=one | {"AZURE_STORAGE_ACCOUNT_NAME": "one", "AZURE_STORAGE_ACCOUNT_KEY": key["one"]},
        ),
        Case(
            "Azure",
            "wrong account key",
            blob,
            refused.format("AuthorizationFailure", "signed with the account key of the environment"),
            one | {"AZURE_STORAGE_ACCOUNT_NAME": "one", "AZURE_STORAGE_ACCOUNT_KEY": "d3JvbmctU0VDUkVU"},
        ),
        Case(
            "Azure",
            "connection string",
            "az://data/dir/a.tif",
            variables={"AZURE_STORAGE_CONNECTION_STRING": connection["one"]},
        ),
        Case(
            "Azure",
            "two accounts",
            blob,
            variables={"ONE": connection["one"], "TWO": connection["two"]},
            credentials={
                "az://one.blob.core.windows.net/": "connection_string_env=ONE",
                "az://two.blob.core.windows.net/": "connection_string_env=TWO",
            },
            steps=[
                f"SELECT count(cog_metadata(href).image_width) * 32 FROM (VALUES ('{blob}'), ('{blob.replace('one', 'two')}')) t(href)"
            ],
        ),
        Case(
            "Azure",
            "connection string of another account",
            blob,
            "the connection string is of another account than one",
            {"TWO": connection["two"]},
            {"az://one.blob.core.windows.net/": "connection_string_env=TWO"},
        ),
        Case(
            "Azure",
            "SAS in the environment",
            blob,
            variables=one
            | {"AZURE_STORAGE_ACCOUNT_NAME": "one", "AZURE_STORAGE_SAS_TOKEN": azurite.sas("one", "data")},
        ),
        Case("Azure", "SAS in the href", f"{url}/one/data/dir/a.tif?{azurite.sas('one', 'data')}"),
        Case(
            "Azure",
            "SAS of a rule",
            blob,
            variables=one | {"SAS": azurite.sas("one", "data")},
            credentials={"az://one.blob.core.windows.net/data/": "sas_env=SAS"},
        ),
        Case(
            "Azure",
            "SAS of a rule, for URLs",
            f"{url}/one/data/dir/a.tif",
            variables={"SAS": azurite.sas("one", "data")},
            credentials={f"{url}/one/data/": "sas_env=SAS"},
        ),
        Case(
            "Azure",
            "SAS of another container",
            blob,
            refused.format("AuthorizationFailure", "signed with the SAS of environment variable SAS"),
            one | {"SAS": azurite.sas("one", "open")},
            {"az://one.blob.core.windows.net/data/": "sas_env=SAS"},
        ),
        Case(
            "Azure",
            "signing endpoint",
            blob,
            variables=one,
            credentials={
                "az://one.blob.core.windows.net/": f"sas_url={world.url('signer')}/token/{{account}}/{{container}}"
            },
            steps=[
                "SELECT cog_metadata('HREF').image_width",
                "SELECT 63 + count(*) FROM cog_metadata('az://one.blob.core.windows.net/data/dir/*.tif')",
            ],
            check=asked(1),
        ),
        Case(
            "Azure",
            "signing endpoint, for URLs",
            f"{url}/one/data/dir/a.tif",
            credentials={f"{url}/one/data/": f"sas_url={world.url('signer')}/token/one/data"},
            check=asked(1),
        ),
        Case(
            "Azure",
            "signing endpoint that is not there",
            blob,
            f"no SAS token from {world.url('signer')}/tokens: not found (HTTP 404)",
            one,
            {"az://one.blob.core.windows.net/": f"sas_url={world.url('signer')}/tokens"},
        ),
        Case("Azure", "service principal", blob, variables=of_entra | {"AZURE_CLIENT_SECRET": "client-SECRET"}),
        Case(
            "Azure",
            "service principal with a wrong secret",
            blob,
            "no token from 127.0.0.1: unauthorized (HTTP 401), invalid_client",
            of_entra | {"AZURE_CLIENT_SECRET": "wrong-SECRET"},
        ),
        Case(
            "Azure",
            "workload identity",
            blob,
            variables=of_entra | {"AZURE_FEDERATED_TOKEN_FILE": f"{world.folder}/workload identity/token"},
            files={"token": "federated-SECRET"},
        ),
        Case(
            "Azure",
            "bearer token",
            blob,
            variables={"AZURE_STORAGE_ENDPOINT": f"{entra}/one", "TOKEN": "entra-token-SECRET"},
            credentials={"az://one.blob.core.windows.net/": "bearer_env=TOKEN"},
        ),
        Case(
            "Azure",
            "token of the CLI",
            blob,
            variables={
                "AZURE_STORAGE_ENDPOINT": f"{entra}/one",
                "PATH": f"{world.folder}/token of the CLI/bin:/usr/bin:/bin",
            },
            credentials={"az://one.blob.core.windows.net/": "azure_cli"},
            files={
                "bin/az": "#!/bin/sh\necho '"
                + json.dumps(
                    {
                        "accessToken": "entra-token-SECRET",
                        "expiresOn": "2099-01-01 00:00:00.000000",
                        "expires_on": 4070908800,
                        "subscription": "s",
                        "tenant": "t",
                        "tokenType": "Bearer",
                    }
                )
                + "'\n"
            },
        ),
    ]


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
            "external account",
            "gs://private/a.tif",
            variables=endpoint | {"GOOGLE_APPLICATION_CREDENTIALS": file.format("external account")},
            files={"key.json": json.dumps(external), "subject": "subject-SECRET\n"},
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


def web_cases(world: World) -> list[Case]:
    data, other = world.url("data"), world.url("other")
    login = f"machine localhost login {USER} password {PASSWORD}\n"
    both = login + f"machine 127.0.0.1 login {USER} password {PASSWORD}\n"
    read = "SELECT cog_metadata('HREF').image_width"

    def logins(count: int) -> Callable[[World], None]:
        def check(world: World) -> None:
            found = len(world.requests("login"))
            assert found == count, f"expected {count} logins, found {found}"

        return check

    return [
        Case("HTTP", "public file", f"{data}/open/a.tif"),
        Case(
            "HTTP",
            "bearer token",
            f"{data}/bearer/a.tif",
            variables={"EDL_TOKEN": BEARER},
            credentials={f"{data}/bearer/": "bearer_env=EDL_TOKEN"},
        ),
        Case(
            "HTTP",
            "wrong bearer token",
            f"{data}/bearer/a.tif",
            "unauthorized (HTTP 401); the request was made with the bearer token of environment variable EDL_TOKEN",
            {"EDL_TOKEN": "wrong-SECRET"},
            {f"{data}/bearer/": "bearer_env=EDL_TOKEN"},
        ),
        Case(
            "HTTP",
            "variable that is not set",
            f"{data}/bearer/a.tif",
            "environment variable EDL_TOKEN is not set",
            {},
            {f"{data}/bearer/": "bearer_env=EDL_TOKEN"},
        ),
        Case(
            "HTTP",
            "token in place of a variable",
            f"{data}/bearer/a.tif",
            "the environment variable that its value names is not set",
            {},
            {f"{data}/bearer/": "bearer_env=eyJhbGciSECRET1"},
        ),
        Case(
            "HTTP",
            "API key",
            f"{data}/key/a.tif",
            variables={"API_KEY": API_KEY},
            credentials={f"{data}/key/": "header_env=X-Api-Key:API_KEY"},
        ),
        Case(
            "HTTP",
            "redirect to another server",
            f"{data}/away/a.tif",
            variables={"API_KEY": API_KEY, "EDL_TOKEN": BEARER},
            credentials={f"{data}/": "header_env=X-Api-Key:API_KEY,bearer_env=EDL_TOKEN"},
        ),
        Case("HTTP", "`.netrc`", f"{data}/basic/a.tif", credentials={f"{data}/": "netrc"}, files={".netrc": both}),
        Case(
            "HTTP",
            "another `.netrc`",
            f"{data}/basic/a.tif",
            credentials={f"{data}/": f"netrc={world.folder}/another netrc/logins"},
            files={"logins": both},
        ),
        Case(
            "HTTP", "`.netrc`, not asked for", f"{data}/basic/a.tif", "unauthorized (HTTP 401)", files={".netrc": both}
        ),
        Case(
            "HTTP",
            "no `.netrc`",
            f"{data}/basic/a.tif",
            "credentials file ~/.netrc: no such file or directory",
            {},
            {f"{data}/": "netrc"},
        ),
        Case(
            "HTTP",
            "login by redirect",
            f"{data}/login/a.tif",
            credentials={f"{data}/": "netrc"},
            files={".netrc": login},
            steps=[
                f"SELECT sum(cog_metadata('{data}/login/' || i || '.tif').image_width) // 40 FROM range(40) t(i)",
            ],
            check=logins(1),
        ),
        Case(
            "HTTP",
            "login by redirect, expired and renewed",
            f"{data}/login/a.tif",
            credentials={f"{data}/": "netrc"},
            files={".netrc": login},
            steps=[read, f"GET {world.url('control')}/expire-cookies", read.replace("HREF", f"{data}/login/b.tif")],
            check=logins(2),
        ),
        Case(
            "HTTP",
            "login by redirect with a wrong password",
            f"{data}/login/a.tif",
            "unauthorized (HTTP 401); the request was made with the login of .netrc",
            {},
            {f"{data}/": "netrc"},
            {".netrc": f"machine localhost login {USER} password wrong-SECRET\n"},
        ),
        Case(
            "HTTP",
            "STAC API",
            f"{data}/stac",
            "1",
            {"EDL_TOKEN": BEARER},
            {f"{data}/stac": "bearer_env=EDL_TOKEN"},
            steps=["SELECT count(*) FROM stac_search('HREF')"],
        ),
        Case(
            "HTTP",
            "signing endpoint under a lock",
            f"{data}/open/a.tif",
            f'Cannot access file "{world.url("signer")}/token/a/b" - no prefix in RASTERET_ALLOWED_PREFIXES allows it',
            {"RASTERET_ALLOWED_PREFIXES": data},
            {f"{data}/": f"sas_url={world.url('signer')}/token/a/b"},
        ),
        Case(
            "HTTP",
            "public file of another server",
            f"{other}/a.tif",
            credentials={f"{data}/": "netrc"},
            files={".netrc": both},
        ),
    ]


def address_cases(world: World) -> list[Case]:
    url, sas = world.azurite, azurite.sas("one", "data")
    one = {"AZURE_STORAGE_ENDPOINT": f"{url}/one"}
    secure, data = world.url("secure"), world.url("data")
    bundle = {"authority.pem": world.authority}
    untrusted = (
        "no secure connection (TLS handshake failed): the issuer 'Test' of the certificate is not trusted "
        "(SSL_CERT_FILE, AWS_CA_BUNDLE or CURL_CA_BUNDLE name others)"
    )

    def trusted(case: str, variable: str) -> dict[str, str]:
        return {variable: f"{world.folder}/{case}/authority.pem"}

    def proxied(count: int) -> Callable[[World], None]:
        def check(world: World) -> None:
            found = len(world.requests("proxy"))
            assert found == count, f"expected {count} requests of the proxy, found {found}"

        return check

    return [
        Case("Addresses", "unknown authority", f"{secure}/a.tif", untrusted),
        Case(
            "Addresses",
            "CA of the system",
            f"{secure}/a.tif",
            variables=trusted("CA of the system", "SSL_CERT_FILE"),
            files=bundle,
        ),
        Case(
            "Addresses", "CA of AWS", f"{secure}/a.tif", variables=trusted("CA of AWS", "AWS_CA_BUNDLE"), files=bundle
        ),
        Case(
            "Addresses",
            "CA of curl",
            f"{secure}/a.tif",
            variables=trusted("CA of curl", "CURL_CA_BUNDLE"),
            files=bundle,
        ),
        Case(
            "Addresses",
            "CA that is not there",
            f"{secure}/a.tif",
            "no secure connection (TLS handshake failed): environment variable AWS_CA_BUNDLE: expected a file of certificates in PEM",
            {"AWS_CA_BUNDLE": "/no/such.pem"},
        ),
        Case(
            "Addresses",
            "certificate that has expired",
            f"{world.url('expired')}/a.tif",
            "no secure connection (TLS handshake failed): the certificate expired on DATE",
            trusted("certificate that has expired", "SSL_CERT_FILE"),
            files=bundle,
        ),
        Case(
            "Addresses",
            "certificate of another host",
            f"{world.url('misnamed')}/a.tif",
            "no secure connection (TLS handshake failed): the certificate is not for localhost but for example.org",
            trusted("certificate of another host", "SSL_CERT_FILE"),
            files=bundle,
        ),
        Case(
            "Addresses",
            "no TLS there",
            data.replace("http:", "https:") + "/open/a.tif",
            "no secure connection (TLS handshake failed): the server does not speak TLS on this port",
            trusted("no TLS there", "SSL_CERT_FILE"),
            files=bundle,
        ),
        Case(
            "Addresses",
            "proxy",
            "http://no.such.host.example/a.tif",
            variables={"HTTP_PROXY": world.url("proxy"), "NO_PROXY": ""},
            check=proxied(1),
        ),
        Case(
            "Addresses",
            "no proxy for anything",
            f"{data}/open/a.tif",
            variables={"HTTP_PROXY": world.url("proxy"), "NO_PROXY": "*"},
            check=proxied(0),
        ),
        Case(
            "Addresses",
            "proxy that refuses",
            "https://no.such.host.example/a.tif",
            "no connection through the proxy",
            {"HTTPS_PROXY": world.url("proxy"), "NO_PROXY": ""},
        ),
        Case(
            "Addresses", "SAS in an `az://` href", f"az://one.blob.core.windows.net/data/dir/a.tif?{sas}", variables=one
        ),
        Case(
            "Addresses",
            "SAS behind a pattern",
            f"az://one.blob.core.windows.net/data/dir/*.tif?{sas}",
            "1",
            one,
            steps=["SELECT count(*) FROM cog_metadata('HREF')"],
        ),
        Case("Addresses", "`wasbs://`", "wasbs://open@one.blob.core.windows.net/dir/a.tif", variables=one),
        Case(
            "Addresses",
            "`r2://`",
            "r2://bucket/a.tif",
            "r2://bucket/a.tif: scheme r2:// cannot be read (expected s3://bucket/key, with "
            "endpoint=https://ACCOUNT.r2.cloudflarestorage.com in rasteret_credentials or as AWS_ENDPOINT_URL_S3)",
        ),
        Case(
            "Addresses",
            "endpoint without a scheme",
            "s3://public/a.tif",
            "environment variable AWS_ENDPOINT_URL_S3: expected a URL such as https://host:port",
            {"AWS_ENDPOINT_URL_S3": "localhost:9000"},
        ),
        Case(
            "Addresses",
            "bucket before the endpoint's host",
            "s3://one/a.tif",
            variables={
                # The name is one that the proxy alone knows.
                "AWS_ENDPOINT_URL_S3": "http://s3.test",
                "HTTP_PROXY": world.url("s3"),
                "NO_PROXY": "",
                "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
                "AWS_ACCESS_KEY_ID": "AKIAONE",
                "AWS_SECRET_ACCESS_KEY": "one-SECRET",
            },
        ),
    ]


def service_account() -> str:
    """A key file of Google with a key of its own."""
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


def all_cases(world: World) -> list[Case]:
    return [*aws_cases(world), *azure_cases(world), *google_cases(world), *web_cases(world), *address_cases(world)]


def write_files(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if text.startswith("#!"):
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
