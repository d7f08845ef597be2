"""Cases of docs/clouds.md for Azure."""

from __future__ import annotations

import json
from collections.abc import Callable

from clouds import azurite
from clouds.case import Case, written
from clouds.world import World


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

    def signer_requests(count: int) -> Callable[[World], None]:
        def check(world: World) -> None:
            found = len(world.requests("signer"))
            assert found == count, f"expected {count} requests to the signing endpoint, found {found}"

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
            "writing with an account key",
            blob.replace("data/dir/a.tif", "open/written.tif"),
            variables=one | {"AZURE_STORAGE_ACCOUNT_NAME": "one", "AZURE_STORAGE_ACCOUNT_KEY": key["one"]},
            steps=written("HREF"),
        ),
        Case(
            "Azure",
            "writing with a SAS that only reads",
            blob.replace("a.tif", "other.tif"),
            refused.format("AuthorizationPermissionMismatch", "signed with a SAS of the environment"),
            one | {"AZURE_STORAGE_ACCOUNT_NAME": "one", "AZURE_STORAGE_SAS_TOKEN": azurite.sas("one", "data")},
            steps=written("HREF")[:1],
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
            "connection string without a scheme",
            "az://data/dir/a.tif",
            "environment variable AZURE_STORAGE_CONNECTION_STRING: BlobEndpoint: expected a URL such as https://host:port",
            {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=one;AccountKey={key['one']};BlobEndpoint={host}"},
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
            check=signer_requests(1),
        ),
        Case(
            "Azure",
            "signing endpoint, for URLs",
            f"{url}/one/data/dir/a.tif",
            credentials={f"{url}/one/data/": f"sas_url={world.url('signer')}/token/one/data"},
            check=signer_requests(1),
        ),
        Case(
            "Azure",
            "missing signing endpoint",
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
            "authority without a scheme",
            blob,
            "environment variable AZURE_AUTHORITY_HOST: expected a URL such as https://host:port",
            of_entra | {"AZURE_CLIENT_SECRET": "client-SECRET", "AZURE_AUTHORITY_HOST": "login.microsoftonline.com"},
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
