"""Stubs of web servers with logins, Google's token endpoints, Azure with tokens, and a signing endpoint."""

from __future__ import annotations

import base64
import datetime
import json
import urllib.parse

from clouds.gcs_emulator import Storage
from clouds.http_server import Request, Response, the_file, xml_error

BEARER = "bearer-SECRET"
API_KEY = "api-key-SECRET"
USER, PASSWORD = "user", "password-SECRET"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Web:
    """A data server and a login server, like those of Earthdata."""

    def __init__(self) -> None:
        self.data_url = self.login_url = self.other_url = ""
        self.logins = 0
        self.valid_cookie = "cookie-SECRET-1"

    def expire_cookies(self) -> None:
        self.valid_cookie = f"cookie-SECRET-{int(self.valid_cookie[-1]) + 1}"

    def data(self, request: Request) -> Response:
        """Serves `/WAY/...`, where WAY selects the kind of authentication or redirect."""
        way, _, rest = request.path.lstrip("/").partition("/")
        sent = request.headers.get("authorization")
        if way == "open":
            return the_file(request)
        if way == "bearer":
            return the_file(request) if sent == f"Bearer {BEARER}" else Response(401)
        if way == "key":
            return the_file(request) if request.headers.get("x-api-key") == API_KEY else Response(403)
        if way == "basic":
            return the_file(request) if sent == basic(USER, PASSWORD) else Response(401)
        if way == "away":
            return Response(302, headers=[("Location", f"{self.other_url}/{rest}")])
        if way == "back":
            headers = [("Location", f"/login/{rest}"), ("Set-Cookie", f"session={self.valid_cookie}; Path=/; HttpOnly")]
            return Response(302, headers=headers)
        if way == "login":
            if f"session={self.valid_cookie}" in request.headers.get("cookie", ""):
                return the_file(request)
            target = urllib.parse.quote(f"{self.data_url}/back/{rest}", safe="")
            return Response(302, headers=[("Location", f"{self.login_url}/authorize?redirect={target}")])
        if way == "stac":
            if sent != f"Bearer {BEARER}":
                return Response(401)
            item = {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": "a",
                "collection": "c",
                "geometry": None,
                "properties": {"datetime": "2026-01-01T00:00:00Z"},
                "links": [],
                "assets": {},
            }
            if rest.startswith("search"):
                page = {"type": "FeatureCollection", "features": [item], "links": []}
                return Response(200, json.dumps(page).encode(), [("Content-Type", "application/geo+json")])
            links = [{"rel": "search", "href": f"{self.data_url}/stac/search", "method": "POST"}]
            root = {"type": "Catalog", "id": "r", "stac_version": "1.0.0", "description": "", "links": links}
            root["conformsTo"] = ["https://api.stacspec.org/v1.0.0/item-search"]
            return Response(200, json.dumps(root).encode(), [("Content-Type", "application/json")])
        return Response(404)

    def login(self, request: Request) -> Response:
        if request.headers.get("authorization") != basic(USER, PASSWORD):
            return Response(401)
        self.logins += 1
        return Response(302, headers=[("Location", request.query["redirect"])])


class Google:
    """The token endpoints, and the access to the buckets of an emulator.

    | bucket | access |
    |---|---|
    | `public` | reading without a token |
    | `signed` | tokens that service accounts sign themselves, and all others |
    | `private` | tokens of the endpoints |
    | `paid` | the same, for a project that pays |
    """

    def __init__(self) -> None:
        self.tokens = {"google-bearer-SECRET"}
        self.issued = 0
        self.buckets = Storage("")

    def revoke_issued(self) -> None:
        self.tokens = {"google-bearer-SECRET"}

    def storage(self, request: Request) -> Response:
        """Serves the buckets."""
        bucket = request.path.lstrip("/").partition("/")[0]
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        is_signed = bucket == "signed" and token.count(".") == 2
        if bucket == "paid" and not request.headers.get("x-goog-user-project"):
            return xml_error(400, "UserProjectMissing")
        if token and not (token in self.tokens or is_signed):
            return xml_error(401, "AuthenticationRequired")
        is_public = bucket not in ("private", "signed", "paid") and request.method in ("GET", "HEAD")
        return self.buckets.respond(request) if token or is_public else xml_error(403, "AccessDenied")

    def metadata(self, request: Request) -> Response:
        """Serves the metadata of a virtual machine."""
        is_known = request.path == "/computeMetadata/v1/instance/service-accounts/default/token"
        if not is_known or request.headers.get("metadata-flavor") != "Google":
            return Response(404)
        self.issued += 1
        name = f"google-issued-{self.issued}-SECRET"
        self.tokens.add(name)
        body = {"access_token": name, "expires_in": 3600, "token_type": "Bearer"}
        return Response(200, json.dumps(body).encode(), [("Content-Type", "application/json")])

    def token(self, request: Request) -> Response:
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        self.issued += 1
        name = f"google-issued-{self.issued}-SECRET"
        if request.path == "/impersonate":
            sent = request.headers.get("authorization", "").removeprefix("Bearer ")
            scopes = ["https://www.googleapis.com/auth/devstorage.read_write"]
            if sent != "federated-SECRET" or json.loads(request.body) != {"scope": scopes}:
                return Response(403, b'{"error": {"code": 403, "status": "PERMISSION_DENIED"}}')
            self.tokens.add(name)
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
            body = {"accessToken": name, "expireTime": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
            return Response(200, json.dumps(body).encode())
        if form.get("subject_token") == "subject-SECRET":
            return Response(200, json.dumps({"access_token": "federated-SECRET", "expires_in": 3600}).encode())
        if form.get("refresh_token") != "refresh-SECRET":
            return Response(400, b'{"error": "invalid_grant", "error_description": "Token SECRET has been revoked."}')
        self.tokens.add(name)
        return Response(200, json.dumps({"access_token": name, "expires_in": 3600}).encode())


class Signer:
    """Signs containers of Azure, like the Planetary Computer."""

    def __init__(self) -> None:
        self.sign = lambda account, container, seconds: ""
        self.seconds = 3600.0
        self.requests = 0

    def respond(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if len(parts) != 3 or parts[0] != "token":
            return Response(404, b'{"detail": "Not found"}')
        self.requests += 1
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.seconds)
        token = self.sign(parts[1], parts[2], self.seconds)
        body = {"msft:expiry": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "token": token}
        return Response(200, json.dumps(body).encode())


class AzureTokens:
    """Blobs that require bearer tokens, and the token endpoint of service principals and workload identities."""

    TOKEN = "entra-token-SECRET"

    def respond(self, request: Request) -> Response:
        if request.path.endswith("/oauth2/v2.0/token"):
            form = dict(urllib.parse.parse_qsl(request.body.decode()))
            is_known = (
                form.get("client_secret") == "client-SECRET" or form.get("client_assertion") == "federated-SECRET"
            )
            if not is_known or form.get("client_id") != "client":
                return Response(401, b'{"error": "invalid_client", "error_description": "AADSTS7000215: SECRET"}')
            body = {"token_type": "Bearer", "expires_in": 3600, "access_token": self.TOKEN}
            return Response(200, json.dumps(body).encode(), [("Content-Type", "application/json")])
        if request.headers.get("authorization") != f"Bearer {self.TOKEN}":
            return xml_error(
                401, "InvalidAuthenticationInfo", headers=[("x-ms-error-code", "InvalidAuthenticationInfo")]
            )
        return the_file(request)
