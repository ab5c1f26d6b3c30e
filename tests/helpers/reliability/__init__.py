"""A log that is rotated, and an indexer that can be killed."""
