"""Answers "where is my mail?" from the logs of Postfix and sendmail."""

__version__ = "0.1.0"
