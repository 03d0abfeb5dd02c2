"""Judge one image by hand."""
