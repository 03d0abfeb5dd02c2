"""Callbacks: signed POSTs of a verdict, retried until the receiver takes them."""
