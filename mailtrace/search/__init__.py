"""Queries, patterns and groups: the specification of a search, for every store."""
