"""Published weights of networks: what there is, how to get it, and that it is what it was."""
