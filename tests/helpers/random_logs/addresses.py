"""Addresses and replies as they come from outside: anything except a newline."""

from hypothesis import strategies as st

_DOMAINS = ("bar.com", "example.net", "xn--bcher-kva.example")
_ODD = (
    "",
    "postmaster",
    '"smith, j"@bar.com',
    "o'brien+a=b@bar.com",
    "josé@bar.com",
    '"a b"@bar.com',
    "A.Lice@BAR.com",
)
_words = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters='<>,\x85"\\', exclude_categories=["Cc"]),
    max_size=30,
)

addresses = st.one_of(
    st.sampled_from(_ODD),
    st.builds("{}@{}".format, st.from_regex(r"[a-z0-9._+=-]{1,12}", fullmatch=True), st.sampled_from(_DOMAINS)),
)
recipients = addresses.filter(bool)
msgids = st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9.$+]{1,30}@[a-z]{1,9}\.test", fullmatch=True))
clients = st.sampled_from(
    [("mail.example.org", "192.0.2.1"), ("unknown", "198.51.100.9"), ("six.example.org", "2001:db8::1")]
)
replies = _words
