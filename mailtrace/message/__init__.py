"""A transaction, and the document derived from it."""
