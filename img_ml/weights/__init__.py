"""Published network weights: the list, the download, and the check that a file is unchanged."""
