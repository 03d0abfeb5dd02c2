"""Names of the document that this project was built from, for code that imports them."""
