"""Import paths that the original specification named, kept for code that uses them."""
