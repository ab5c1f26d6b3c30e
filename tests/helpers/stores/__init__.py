"""Transactions and queries for the tests of stores."""
