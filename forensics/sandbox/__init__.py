"""The sandbox: strangers' files are read in processes that can be killed, with limits, and take nobody with them."""
