"""One file per analyzer; each registers itself on import."""
