"""Documents, groups and journeys as text, CSV and JSON."""
