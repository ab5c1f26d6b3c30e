"""Logs that are rotated, and an indexer that is killed."""
