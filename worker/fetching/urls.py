"""What a stranger's URL may look like, before any name is resolved: scheme, port, credentials, host."""

from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

import idna

from worker.errors import BadJobError, BlockedUrlError

_PORTS = {"http": 80, "https": 443}
# Everything a URL may contain by itself, "%" included, so that what is escaped already stays as it is.
_KEPT = "/%:@!$&'()*+,;=~-._?[]"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: `host` is ASCII, `path` is escaped and holds the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """host:port, with an IPv6 host in brackets, as FETCH_ALLOW writes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> bytes:
        """What the header Host says: the port only where it is not the scheme's own."""
        return (self.place.rpartition(":")[0] if self.port == _PORTS[self.scheme] else self.place).encode()

    @property
    def text(self) -> str:
        """The URL in one piece."""
        return f"{self.scheme}://{self.place}{self.path}"


def parse_url(url: str, allowed_places: frozenset[str] = frozenset(), *, name: str = "image_url") -> Target:
    """The target of an http(s) URL; BadJobError where it is none, BlockedUrlError where it asks for too much.

    Ports other than 80 and 443 are refused unless `allowed_places` names host:port. `name` is what errors call the URL.
    """
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in url):
        raise BadJobError(f"The {name} holds control characters.")
    try:
        parts = urlsplit(url.strip(" "))
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise BadJobError(f"The {name} is not a URL: {error}.") from None
    if not parts.scheme:
        raise BadJobError(f"The {name} is not a URL: it has no scheme.")
    if parts.scheme not in _PORTS:
        raise BlockedUrlError("Only http and https URLs are fetched.")
    if "@" in parts.netloc:
        raise BlockedUrlError("URLs with a user name or password are not fetched.")
    path = quote(parts.path or "/", safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT)}" if parts.query else "")
    target = Target(parts.scheme, _ascii_host(host, name), _PORTS[parts.scheme] if port is None else port, path)
    if target.port not in _PORTS.values() and target.place not in allowed_places:
        raise BlockedUrlError("Only ports 80 and 443 are allowed.")
    return target


def follow(target: Target, location: str, allowed_places: frozenset[str]) -> Target:
    """Where a redirect leads; held to the same rules, and BlockedUrlError instead of BadJobError."""
    try:
        return parse_url(urljoin(target.text, location), allowed_places)
    except (BadJobError, ValueError):
        raise BlockedUrlError("The server redirects to something that is not a URL.") from None


def _ascii_host(host: str, name: str) -> str:
    """The host in the form DNS takes it (IDNA 2008 with UTS 46 mapping, which also turns full-width digits plain)."""
    if host and host.isascii():
        return host.rstrip(".") or host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise BadJobError(f"The {name} has no valid host.") from None
