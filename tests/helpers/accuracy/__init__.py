"""Compare documents with the known truth of a log."""
