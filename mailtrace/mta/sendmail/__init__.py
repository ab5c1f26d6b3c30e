"""Grammar of sendmail's log lines."""

from mailtrace.mta.sendmail.dispatch import RULES, is_sendmail, parse, rule_of

__all__ = ["RULES", "is_sendmail", "parse", "rule_of"]
