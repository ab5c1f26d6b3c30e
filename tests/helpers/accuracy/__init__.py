"""Comparison of documents with what is known to be true of a log."""
