"""Encryption of what may not lie readable in the database."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.domain.errors import BackendRefused

_PURPOSE = b"vsearch: Slack tokens at rest"


class TokenCipher:
    """Fernet under a key that is derived from a secret of the settings."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("Sealing takes a secret.")
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def encrypt(self, content: bytes) -> bytes:
        """Encrypt and sign."""
        return self._fernet.encrypt(content)

    def decrypt(self, encrypted: bytes) -> bytes:
        """What was sealed. Raises BackendRefused if that was under another secret."""
        try:
            return self._fernet.decrypt(encrypted)
        except InvalidToken:
            raise BackendRefused(
                "The stored Slack tokens were sealed with another secret: set the former one, or install the app again."
            ) from None
