"""Journeys of messages across hosts."""
