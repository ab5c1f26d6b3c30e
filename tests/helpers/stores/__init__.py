"""Transactions and queries for tests of stores."""
