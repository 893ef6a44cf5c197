"""Encryption of Slack tokens at rest."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.domain.errors import BackendRefused

_PURPOSE = b"vsearch: Slack tokens at rest"


class TokenCipher:
    """Fernet encryption with a key derived from a secret of the settings by HKDF-SHA256."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("Encryption needs a secret.")
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def encrypt(self, content: bytes) -> bytes:
        """Encrypt and authenticate ``content``."""
        return self._fernet.encrypt(content)

    def decrypt(self, encrypted: bytes) -> bytes:
        """Return the decrypted content. Raises BackendRefused if it was encrypted with another secret."""
        try:
            return self._fernet.decrypt(encrypted)
        except InvalidToken:
            raise BackendRefused(
                "The stored Slack tokens were sealed with another secret: set the former one, or install the app again."
            ) from None
