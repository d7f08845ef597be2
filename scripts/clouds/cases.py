"""The cases of docs/clouds.md."""

from __future__ import annotations

from clouds.address_cases import address_cases
from clouds.aws_cases import aws_cases
from clouds.azure_cases import azure_cases
from clouds.case import Case
from clouds.google_cases import google_cases
from clouds.web_cases import web_cases
from clouds.world import World


def all_cases(world: World) -> list[Case]:
    """Returns all cases, in the order of the page."""
    return [*aws_cases(world), *azure_cases(world), *google_cases(world), *web_cases(world), *address_cases(world)]
