"""The key of a store, derived from the secret in the settings, and what is done with it."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from buttress.backup.manifest import Encryption
from buttress.errors import ConfigurationError

NONCE_BYTES = 12
CURE = "Set BUTTRESS_BACKUP__KEY to what it was when the backup was made."


@dataclass(frozen=True)
class Key:
    """A key, and what manifests say of it."""

    encryption: Encryption
    cipher: AESGCM = field(repr=False)
    _naming: bytes = field(repr=False)

    @classmethod
    def new(cls, secret: str) -> Key:
        """Derived from a secret and a new salt."""
        return cls._derive(secret, os.urandom(16))

    @classmethod
    def shared(cls, secret: str, used: Iterable[Encryption]) -> Key:
        """The first of those in use that fits the secret, so that chunks are shared; else new."""
        for encryption in dict.fromkeys(used):
            key = cls._derive(secret, bytes.fromhex(encryption.salt))
            if hmac.compare_digest(key.encryption.check, encryption.check):
                return key
        return cls.new(secret)

    @classmethod
    def of(cls, encryption: Encryption, secret: str) -> Key:
        """The key a backup was encrypted with; raises ConfigurationError for another secret."""
        if not secret:
            raise ConfigurationError("the backup is encrypted and there is no key", hint=CURE)
        key = cls._derive(secret, bytes.fromhex(encryption.salt))
        if not hmac.compare_digest(key.encryption.check, encryption.check):
            raise ConfigurationError("the backup was encrypted with another key", hint=CURE)
        return key

    @classmethod
    def _derive(cls, secret: str, salt: bytes) -> Key:
        derived = hashlib.scrypt(
            secret.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=80
        )
        encryption = Encryption(salt.hex(), derived[32:48].hex())
        return cls(encryption, AESGCM(derived[:32]), derived[48:])

    def seal(self, data: bytes, bound_to: str) -> bytes:
        """Encrypt with a new nonce, bound to the name of the object."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self.cipher.encrypt(nonce, data, bound_to.encode())

    def open(self, data: bytes, bound_to: str) -> bytes | None:
        """What `seal` was given; `None` when it is not what `seal` has made."""
        try:
            return self.cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound_to.encode())
        except (InvalidTag, ValueError):
            return None

    def name(self, data: bytes) -> bytes:
        """32 bytes that only who has the key can tell from the data."""
        return hmac.digest(self._naming, data, "sha256")
