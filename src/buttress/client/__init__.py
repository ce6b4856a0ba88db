"""A client for the API of a deployment.

    from buttress.client import Client

    with Client("https://app.example.com", token=token) as api:
        for person in api.people(role="viewer"):
            print(person.name)

What the deployment refuses is raised as it would be inside: `NotFound`, `Forbidden`, `BadInput`.
"""

from buttress.client.client import Client
from buttress.client.types import File, Job, Me, Person, Progress, Token, Usage

__all__ = ["Client", "File", "Job", "Me", "Person", "Progress", "Token", "Usage"]
