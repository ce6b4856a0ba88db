"""Signing in with an organisation's account, by OpenID Connect.

The provider only says who somebody is; the sign-in that follows is ours, so that it can be revoked.
People are known by issuer and subject. An e-mail address links an account once, to somebody who was
made known here under it, and only if the provider vouches for the address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2
import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from buttress.access import audit, people
from buttress.access.tables import Person
from buttress.errors import BadInput, ConfigurationError, Forbidden, NotSignedIn, Unavailable
from buttress.settings import OIDCSettings

# joserfc is imported where a token is read: it takes a quarter of a second, and most deployments
# have no provider.
if TYPE_CHECKING:
    from joserfc.jwk import KeySet

SECONDS = 10.0
METADATA_SECONDS = 3600.0
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "ES384", "ES512"]
"""Signatures by a key of the provider; none that a client secret or nobody makes."""
CLOCK_SECONDS = 60


class Ticket(msgspec.Struct, frozen=True):
    """What a browser keeps between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str
    there: str
    """Where the person wanted to go."""


@dataclass(frozen=True)
class Claims:
    """Who the provider says somebody is."""

    issuer: str
    subject: str
    email: str | None
    """None unless the provider vouches for it."""


class Provider:
    """The provider of a deployment."""

    def __init__(self, settings: OIDCSettings) -> None:
        self.settings = settings
        self._metadata: tuple[float, dict[str, Any], KeySet] | None = None

    @property
    def configured(self) -> bool:
        """Whether there is one."""
        return bool(self.settings.issuer and self.settings.client_id)

    def begin(self, back: str, there: str) -> tuple[str, Ticket]:
        """Where to send a browser, and what it keeps meanwhile; `back` is where it returns to.

        Raises
        ------
        Unavailable
            The provider does not answer.
        ConfigurationError
            What answers is not the provider that was set.
        """
        metadata, _ = self._discovered()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        ticket = Ticket(state, nonce, verifier, there)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(ticket.verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": "openid email",
            "state": ticket.state,
            "nonce": ticket.nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in metadata["authorization_endpoint"] else "?"
        return f"{metadata['authorization_endpoint']}{separator}{urlencode(query)}", ticket

    def finish(self, back: str, ticket: Ticket, answer: dict[str, str]) -> Claims:
        """Who came back; `answer` is the query the provider sent along.

        Raises
        ------
        NotSignedIn
            The provider says no, or what came is not the answer to what was asked.
        Unavailable
            The provider does not answer.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), ticket.state.encode()):
            raise _refused("it is no answer to what was asked here")
        if "code" not in answer:
            raise _refused(f"the provider says {answer.get('error', 'nothing')[:50]}")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise _refused("another provider answers")
        metadata, keys = self._discovered()
        tokens = self._ask(
            "POST",
            metadata["token_endpoint"],
            data={
                "grant_type": "authorization_code",
                "code": answer["code"],
                "redirect_uri": back,
                "code_verifier": ticket.verifier,
                "client_id": self.settings.client_id,
                "client_secret": self.settings.client_secret.get_secret_value(),
            },
        )
        return self._claims(str(tokens.get("id_token", "")), ticket.nonce, keys)

    def _claims(self, id_token: str, nonce: str, keys: KeySet) -> Claims:
        from joserfc import jwt
        from joserfc.errors import JoseError

        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCK_SECONDS,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": self.settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims
            registry.validate(claims)
        except (JoseError, ValueError) as error:
            raise _refused(f"its token is not good: {type(error).__name__}") from error
        email = claims.get("email") if claims.get("email_verified") is True else None
        return Claims(self.settings.issuer, str(claims["sub"]), email)

    def _discovered(self) -> tuple[dict[str, Any], KeySet]:
        from joserfc.jwk import KeySet

        now = time.monotonic()
        if self._metadata is None or now - self._metadata[0] > METADATA_SECONDS:
            well_known = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = self._ask("GET", well_known)
            if metadata.get("issuer") != self.settings.issuer:
                raise ConfigurationError(
                    f"the provider calls itself {str(metadata.get('issuer'))[:200]}",
                    hint="Set BUTTRESS_OIDC__ISSUER to exactly that, if you trust it.",
                )
            keys = KeySet.import_key_set(self._ask("GET", metadata["jwks_uri"]))  # type: ignore[arg-type]
            self._metadata = now, metadata, keys
        return self._metadata[1], self._metadata[2]

    def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            with httpx2.Client(timeout=SECONDS, trust_env=False) as client:
                answer = client.request(method, url, **more)
            answer.raise_for_status()
            content = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            # Nothing of the answer is told: it may hold a token.
            raise Unavailable(
                f"the provider of sign-ins does not answer as it should: {type(error).__name__}",
                hint="Try again; if it stays so, an admin looks at BUTTRESS_OIDC__ISSUER.",
            ) from error
        if not isinstance(content, dict):
            raise Unavailable("the provider of sign-ins answers with something else")
        return content


def person_for(session: Session, claims: Claims, *, role: str) -> Person:
    """Who that is here; made known with `role` when nobody has that account yet.

    Raises
    ------
    Forbidden
        Nobody has it, and `role` is empty: only those who were made known get in.
    """
    known = select(Person).where(Person.issuer == claims.issuer, Person.subject == claims.subject)
    if (found := session.scalars(known).first()) is not None:
        return found
    stranger = Forbidden(
        "nobody here has this account", hint="Ask an admin to invite you under your address."
    )
    if claims.email is None:
        raise stranger
    try:
        name = people.normal_name(claims.email)
    except BadInput:
        raise stranger from None
    person = session.scalars(select(Person).where(Person.name == name)).first()
    if person is None:
        if not role:
            raise stranger
        return people.create(session, name, role, issuer=claims.issuer, subject=claims.subject)
    if person.issuer is not None:
        raise stranger  # the address has changed hands
    person.issuer, person.subject = claims.issuer, claims.subject
    session.flush()
    audit.record(session, "person.link", name, actor=name, details={"issuer": claims.issuer})
    return person


def _refused(why: str) -> NotSignedIn:
    return NotSignedIn(f"the sign-in was refused: {why}", hint="Begin again.")
