"""Grammar of Postfix's log lines."""

from mailtrace.mta.postfix.dispatch import RULES, parse, rule_of
from mailtrace.mta.postfix.programs import is_postfix

__all__ = ["RULES", "is_postfix", "parse", "rule_of"]
