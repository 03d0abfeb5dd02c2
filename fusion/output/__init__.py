"""A verdict as a JSON document and as text for a terminal."""
