"""The certificates whose C2PA signatures are trusted in this process."""

_anchors = ""


def install_trust_anchors(pem: str) -> None:
    """Trust the certificates of a PEM text from now on; entry points and worker processes call it once."""
    global _anchors  # the C2PA library's own trust settings are process-wide too
    _anchors = pem


def trust_anchors() -> str:
    """The installed PEM text; empty where nothing is trusted."""
    return _anchors
