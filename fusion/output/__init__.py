"""A verdict as a JSON document, as text for a terminal, and as HTML for the page and the report."""
