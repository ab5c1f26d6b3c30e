"""Find mail in the logs of Postfix, sendmail and Exim."""

__version__ = "0.1.0"
