"""Images fetched from strangers' URLs, behind an SSRF guard."""
