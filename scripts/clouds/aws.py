"""Stubs of S3, STS and AWS single sign-on that verify signatures with botocore's signer.

| bucket | access |
|---|---|
| `public` | public |
| `one`, `two` | private, of the account with the same name |
| `paid` | requester pays |
| `far` | in eu-west-1; all others are in us-east-1 |
"""

from __future__ import annotations

import datetime
import json
import re
import urllib.parse
from dataclasses import dataclass

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from clouds.http_server import Request, Response, the_file, xml_error
from clouds.uploads import Uploads

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)
SAML_TOKEN = "web-identity-SECRET"
SSO_TOKEN = "sso-token-SECRET"
SSO_FRESH_TOKEN = "sso-fresh-token-SECRET"


@dataclass
class Key:
    """An access key."""

    secret: str
    account: str
    token: str | None = None
    is_expired: bool = False


class Aws:
    """The accounts, and the responses of each endpoint."""

    def __init__(self) -> None:
        self.keys = {
            "AKIAONE": Key("one-SECRET", "one"),
            "AKIATWO": Key("two-SECRET", "two"),
            "ASIAONE": Key("session-SECRET", "one", "session-token-SECRET"),
            "ASIAOLD": Key("old-SECRET", "one", "old-token-SECRET", is_expired=True),
        }
        self.issued = 0
        self.uploads = Uploads()

    def issue(self, account: str, seconds: float = 3600) -> dict[str, str]:
        """Issues a session key."""
        self.issued += 1
        name = f"ASIAISSUED{self.issued}"
        self.keys[name] = Key(f"issued-{self.issued}-SECRET", account, f"issued-token-{self.issued}-SECRET")
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        key = self.keys[name]
        return {
            "id": name,
            "secret": key.secret,
            "token": key.token or "",
            "end": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "end_ms": str(int(end.timestamp() * 1000)),
        }

    def expire_issued(self) -> None:
        for name, key in self.keys.items():
            if name.startswith("ASIAISSUED"):
                key.is_expired = True

    def signed_by(self, request: Request, service: str, region: str) -> Key | Response:
        """Returns the key that signed a request, or the error response."""
        found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if not found:
            return xml_error(403, "AccessDenied")
        name, _, of_region, of_service, signed, signature = found.groups()
        key = self.keys.get(name)
        if key is None:
            return xml_error(403, "InvalidAccessKeyId")
        if of_region != region or of_service != service:
            more = f"<Region>{region}</Region>"
            headers = [("x-amz-bucket-region", region)]
            return xml_error(400, "AuthorizationHeaderMalformed", more, headers)
        signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials(name, key.secret), service, region)
        names = signed.split(";")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        url = urllib.parse.urlsplit(request.raw_path)
        target = url._replace(scheme="http", netloc=request.host).geturl()
        copy = AWSRequest(request.method, target, headers, request.body)
        copy.context["timestamp"] = request.headers["x-amz-date"]
        expected = signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy)
        if expected != signature:
            return xml_error(403, "SignatureDoesNotMatch")
        token = request.headers.get("x-amz-security-token")
        if token != key.token or (token and "x-amz-security-token" not in names):
            return xml_error(400, "InvalidToken")
        return xml_error(400, "ExpiredToken") if key.is_expired else key

    def s3(self, request: Request) -> Response:
        """Serves `/bucket/key`, or `/key` of a host that begins with the bucket."""
        bucket, _, path = request.path.lstrip("/").partition("/")
        if not re.match(r"^[\d.]+(:\d+)?$", request.host):
            bucket, path = request.host.split(".")[0], request.path.lstrip("/")
        region = "eu-west-1" if bucket == "far" else "us-east-1"
        if bucket == "public" and "authorization" not in request.headers and request.method in ("GET", "HEAD"):
            return self.object(request, bucket, path)
        key = self.signed_by(request, "s3", region)
        if isinstance(key, Response):
            return key
        is_paid_for = request.headers.get("x-amz-request-payer") == "requester"
        owners = {"one": "one", "two": "two", "far": "one"}
        if bucket in owners and owners[bucket] != key.account or bucket == "paid" and not is_paid_for:
            return xml_error(403, "AccessDenied")
        return self.object(request, bucket, path)

    def object(self, request: Request, bucket: str, path: str) -> Response:
        if response := self.uploads.respond(request):
            return response
        if "list-type" not in request.query:
            return the_file(request) if path.endswith(".tif") else xml_error(404, "NoSuchKey")
        prefix = request.query.get("prefix", "")
        keys = [key for key in ("dir/a.tif", "dir/b.tif") if key.startswith(prefix)]
        found = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>"
            for key in keys
        )
        body = f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
        return Response(200, body.encode(), [("Content-Type", "application/xml")])

    def sts(self, request: Request) -> Response:
        """Serves `AssumeRole` and `AssumeRoleWithWebIdentity`; roles are named `arn:…:role/ACCOUNT`."""
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        account = form.get("RoleArn", "").rpartition("/")[2]
        action = form.get("Action", "")
        if action == "AssumeRoleWithWebIdentity":
            if form.get("WebIdentityToken") != SAML_TOKEN:
                return xml_error(400, "InvalidIdentityToken")
        else:
            key = self.signed_by(request, "sts", "us-east-1")
            if isinstance(key, Response):
                return key
            if account == "external" and form.get("ExternalId") != "outside":
                return xml_error(403, "AccessDenied")
        account = "one" if account == "external" else account
        key = self.issue(account)
        body = (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
            f"<AccessKeyId>{key['id']}</AccessKeyId><SecretAccessKey>{key['secret']}</SecretAccessKey>"
            f"<SessionToken>{key['token']}</SessionToken><Expiration>{key['end']}</Expiration></Credentials>"
            f"</{action}Result></{action}Response>"
        )
        return Response(200, body.encode(), [("Content-Type", "text/xml")])

    def metadata(self, request: Request) -> Response:
        """Serves the metadata of a virtual machine (IMDSv2), and at `/container` that of a container."""
        token = request.headers.get("x-aws-ec2-metadata-token")
        if request.path == "/latest/api/token" and request.method == "PUT":
            return Response(200, b"machine-SECRET")
        if request.path == "/container" and request.headers.get("authorization") != "container-SECRET":
            return Response(401)
        if request.path != "/container" and token != "machine-SECRET":
            return Response(401)
        if request.path == "/latest/meta-data/iam/security-credentials/":
            return Response(200, b"reader")
        if request.path not in ("/container", "/latest/meta-data/iam/security-credentials/reader"):
            return Response(404)
        key = self.issue("one")
        found = {
            "Code": "Success",
            "AccessKeyId": key["id"],
            "SecretAccessKey": key["secret"],
            "Token": key["token"],
            "Expiration": key["end"],
        }
        return Response(200, json.dumps(found).encode(), [("Content-Type", "application/json")])

    def sso(self, request: Request) -> Response:
        """Serves single sign-on and its OIDC endpoint."""
        if request.path == "/token":
            body = json.loads(request.body)
            if body.get("refreshToken") != "refresh-SECRET":
                return Response(400, b'{"error": "invalid_grant", "error_description": "SECRET"}')
            return Response(200, json.dumps({"accessToken": SSO_FRESH_TOKEN, "expiresIn": 3600}).encode())
        if request.headers.get("x-amz-sso_bearer_token") not in (SSO_TOKEN, SSO_FRESH_TOKEN):
            return Response(401, b'{"message": "Session token not found or invalid"}')
        if request.query.get("account_id") != "111122223333" or request.query.get("role_name") != "reader":
            return Response(403, b'{"message": "No access"}')
        key = self.issue("one")
        found = {
            "accessKeyId": key["id"],
            "secretAccessKey": key["secret"],
            "sessionToken": key["token"],
            "expiration": int(key["end_ms"]),
        }
        return Response(200, json.dumps({"roleCredentials": found}).encode())
