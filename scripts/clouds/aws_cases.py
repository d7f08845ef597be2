"""Cases of docs/clouds.md for S3."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable

from clouds.aws import SAML_TOKEN, SSO_TOKEN
from clouds.case import Case, written
from clouds.world import World


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
            assert len(found) == count, f"expected {count} requests to S3, found {found}"

        return check

    def no_parts_left(world: World) -> None:
        assert not world.aws.uploads.parts, world.aws.uploads.parts.keys()

    def no_metadata(world: World) -> None:
        assert not world.requests("aws-metadata"), world.requests("aws-metadata")

    return [
        Case("S3", "public bucket", "s3://public/a.tif", variables=endpoint, check=one_header_each(1)),
        Case("S3", "private bucket without credentials", "s3://one/a.tif", refused.format("not signed"), endpoint),
        Case("S3", "keys", "s3://one/a.tif", variables=endpoint | one, check=one_header_each(1)),
        Case(
            "S3",
            "writing with keys",
            "s3://one/written.tif",
            variables=endpoint | one,
            steps=written("HREF"),
            check=no_parts_left,
        ),
        Case(
            "S3",
            "writing without credentials",
            "s3://public/written.tif",
            refused.format("not signed"),
            endpoint,
            steps=written("HREF")[:1],
            check=no_parts_left,
        ),
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
            "requester pays, without `requester_pays`",
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
            "profile whose name has a space",
            "s3://one/a.tif",
            variables=endpoint,
            credentials={"s3://one/": "profile=my work"},
            # As the AWS CLI writes it.
            files={
                ".aws/config": "[profile 'my work']\naws_access_key_id = AKIAONE\naws_secret_access_key = one-SECRET\n"
            },
        ),
        Case(
            "S3",
            "endpoint of a profile, without a scheme",
            "s3://one/a.tif",
            "AWS profile 'first': endpoint_url: expected a URL such as https://host:port",
            {"AWS_PROFILE": "first"},
            files={
                ".aws/credentials": keys.format("first", "AKIAONE", "one-SECRET"),
                ".aws/config": "[profile first]\nendpoint_url = localhost:9000\n",
            },
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
            "`credential_process` that leaves a program",
            "s3://one/a.tif",
            "AWS profile 'process': credential_process ended, but its output is still open",
            endpoint | {"AWS_PROFILE": "process"},
            files={
                ".aws/config": "[profile process]\ncredential_process = sleep 20 & cat ~/keys.json\n",
                "keys.json": process,
            },
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
            "metadata service",
            "s3://one/a.tif",
            variables=endpoint | {"AWS_METADATA_ENDPOINT": world.url("aws-metadata")},
            credentials={"s3://one/": "metadata_service"},
        ),
        Case(
            "S3",
            "metadata service, not requested",
            "s3://public/a.tif",
            variables=endpoint | {"AWS_METADATA_ENDPOINT": world.url("aws-metadata")},
            check=no_metadata,
        ),
        Case(
            "S3",
            "metadata service of a container",
            "s3://one/a.tif",
            variables=endpoint
            | {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{world.url('aws-metadata')}/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{world.folder}/metadata service of a container/token",
            },
            credentials={"s3://one/": "metadata_service"},
            files={"token": "container-SECRET"},
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
