"""The two commands: arguments, settings, messages and exit statuses."""
