"""Grammar of Exim's log lines."""

from mailtrace.mta.exim.dispatch import RULES, parse, rule_of
from mailtrace.mta.exim.programs import is_exim

__all__ = ["RULES", "is_exim", "parse", "rule_of"]
