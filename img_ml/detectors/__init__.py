"""One file per learned detector; each registers itself on import."""
