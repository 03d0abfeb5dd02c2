"""Changed code, and whether the tests notice."""
