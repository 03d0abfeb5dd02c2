"""API keys: made once, shown once, kept as hashes."""

import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"imgml_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key without its secret; `made` is seconds since 1970."""

    key_id: str
    name: str
    made: int


class Keys:
    """The keys in the hash `<jobs>:web:keys`. The secret is 256 random bits, so a plain SHA-256 of it suffices."""

    def __init__(self, client: Any, jobs: str) -> None:
        self._client = client
        self._place = f"{jobs}:web:keys"

    async def make(self, name: str) -> str:
        """A new key's token; it cannot be shown again."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        record = {"sha256": _hashed(secret), "name": name, "made": int(time.time())}
        await self._client.hset(self._place, key_id, json.dumps(record))
        return f"imgml_{key_id}_{secret}"

    async def owner(self, token: str) -> str | None:
        """The id of the key with that token; None where there is none."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        found = await self._client.hget(self._place, match[1])
        expected = json.loads(found)["sha256"] if found else ""
        return match[1] if hmac.compare_digest(_hashed(match[2]), expected) else None

    async def all(self) -> list[KeyRecord]:
        """Every key, the oldest first."""
        found = await self._client.hgetall(self._place)
        records = [(key.decode(), json.loads(value)) for key, value in found.items()]
        return sorted((KeyRecord(k, v["name"], v["made"]) for k, v in records), key=lambda one: one.made)

    async def revoke(self, key_id: str) -> bool:
        """Remove a key; whether there was one."""
        return bool(await self._client.hdel(self._place, key_id))


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
