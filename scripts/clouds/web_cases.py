"""Cases of docs/clouds.md for web servers."""

from __future__ import annotations

from collections.abc import Callable

from clouds.case import Case
from clouds.web import API_KEY, BEARER, PASSWORD, USER
from clouds.world import World


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
            "HTTP",
            "`.netrc`, without `netrc`",
            f"{data}/basic/a.tif",
            "unauthorized (HTTP 401); the request was made without credentials",
            files={".netrc": both},
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
            "signing endpoint that is not allowed",
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
