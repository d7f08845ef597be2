"""Cases of docs/clouds.md for addresses, certificates and proxies."""

from __future__ import annotations

from collections.abc import Callable

from clouds import azurite
from clouds.case import Case
from clouds.world import World


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
            assert found == count, f"expected {count} requests to the proxy, found {found}"

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
            "missing CA file",
            f"{secure}/a.tif",
            "no secure connection (TLS handshake failed): environment variable AWS_CA_BUNDLE: expected a file of certificates in PEM",
            {"AWS_CA_BUNDLE": "/no/such.pem"},
        ),
        Case(
            "Addresses",
            "empty CA file",
            f"{secure}/a.tif",
            "no secure connection (TLS handshake failed): environment variable AWS_CA_BUNDLE: expected a file of certificates in PEM",
            trusted("empty CA file", "AWS_CA_BUNDLE"),
            files={"authority.pem": ""},
        ),
        Case(
            "Addresses",
            "missing CA file of the system",
            f"{secure}/a.tif",
            "no secure connection (TLS handshake failed): environment variable SSL_CERT_FILE: found no certificates in PEM there",
            {"SSL_CERT_FILE": "/no/such.pem"},
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
            "server without TLS",
            data.replace("http:", "https:") + "/open/a.tif",
            "no secure connection (TLS handshake failed): the server does not speak TLS on this port",
            trusted("server without TLS", "SSL_CERT_FILE"),
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
            "no proxy for all hosts",
            f"{data}/open/a.tif",
            variables={"HTTP_PROXY": world.url("proxy"), "NO_PROXY": "*"},
            check=proxied(0),
        ),
        Case(
            "Addresses",
            "proxy that refuses CONNECT",
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
            "endpoint without a scheme, for a rule",
            "s3://public/a.tif",
            "environment variable AWS_ENDPOINT_URL_S3: expected a URL such as https://host:port",
            {"AWS_ENDPOINT_URL_S3": "localhost:9000"},
            {"s3://public/": "anonymous"},
        ),
        Case(
            "Addresses",
            "bucket before the endpoint's host",
            "s3://one/a.tif",
            variables={
                # Only the proxy can resolve this name.
                "AWS_ENDPOINT_URL_S3": "http://s3.test",
                "HTTP_PROXY": world.url("s3"),
                "NO_PROXY": "",
                "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
                "AWS_ACCESS_KEY_ID": "AKIAONE",
                "AWS_SECRET_ACCESS_KEY": "one-SECRET",
            },
        ),
    ]
