"""Grammars of mail servers' log lines: one folder for each server, and the facts that they all return."""
