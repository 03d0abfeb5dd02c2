"""Logs, metrics, health and progress of a running worker."""
