"""Find mail in the logs of Postfix and sendmail."""

__version__ = "0.1.0"
