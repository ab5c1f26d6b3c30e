"""Units of lines of both MTAs, and unrelated lines."""

from hypothesis import strategies as st

from helpers.random_logs.addresses import addresses, clients, recipients
from helpers.random_logs.lines import Line, Unit
from helpers.random_logs.postfix import held_units, postfix_units
from helpers.random_logs.sendmail import sendmail_units


@st.composite
def refusals(draw, number):
    """A refusal without a queue ID, which has its own document, among the other lines of a session."""
    name, ip = draw(clients)
    tag, peer = f"postfix/smtpd[{5000 + number}]", f"{name}[{ip}]"
    lines = (
        Line(tag, f"connect from {peer}"),
        Line(
            tag,
            f"NOQUEUE: reject: RCPT from {peer}: 554 5.7.1 <{number}>: Relay access denied;"
            f" from=<{draw(addresses)}> to=<{draw(recipients)}> proto=ESMTP helo=<{name}>",
        ),
        Line(tag, f"disconnect from {peer} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"),
    )
    return Unit("mx1", frozenset(), lines)


def units(number):
    return st.one_of(postfix_units(number), sendmail_units(number), refusals(number), held_units(number))
