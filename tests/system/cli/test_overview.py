"""The overview as an admin sees it: as text, as JSON, and as a page in a real browser."""

import json
import re

import pytest

from helpers.browser import DARK, LIGHT, Browser

HOSTILE = '<script>alert(1)</script>"&\x1b[31m'


def line(time, program, text):
    return f"{time} mx postfix/{program}[1]: {text}\n"


def message(number, hour, *, sender="bob@foo.com", login="bob", outcome="sent (250 Ok)", day=2):
    queue_id, at = f"{0xABCDE00000 + number:X}", f"2026-03-{day:02}T{hour:02}:10:00Z"
    relay = "relay=mx.bar.com[192.0.2.25]:25, delay=2.5, delays=0/0/0/0, dsn=2.0.0"
    yield line(at, "smtpd", f"{queue_id}: client=pc[192.0.2.7], sasl_method=PLAIN, sasl_username={login}")
    yield line(at, "qmgr", f"{queue_id}: from=<{sender}>, size=1500, nrcpt=1 (queue active)")
    yield line(at, "smtp", f"{queue_id}: to=<alice@bar.com>, {relay}, status={outcome}")
    if not outcome.startswith("deferred"):
        yield line(at, "qmgr", f"{queue_id}: removed")


@pytest.fixture
def indexed(commands, index_once):
    lines = [*message(1, 9, day=1)]
    for number in range(12):
        lines += message(10 + number, 9 + number % 3, login="mallory", sender="mallory@foo.com")
    lines += message(30, 12, outcome="deferred (host mx.bar.com[192.0.2.25] said: 450 4.2.0 Greylisted)")
    lines += message(31, 13, outcome="bounced (550 No such user)", sender=f"{HOSTILE}@foo.com")
    commands.folder.joinpath("mail.log").write_text("".join(lines))
    assert 0 == index_once(commands, "mail.log").returncode
    return commands


DATES = ("-d", "2026-03-02", "-D", "2026-03-02")


def test_text_says_what_came_and_what_is_unlike_before(indexed):
    done = indexed.search("--overview", *DATES)
    assert (0, "") == (done.returncode, done.stderr)
    for pattern in (
        r"Mail from 2026-03-02 00:00 to 2026-03-02 23:59\n",
        r"\n +14 +1  messages received\n",
        r"\n21\.0 kB  1\.5 kB  bytes received\n",
        r"\nRecipients by hour and outcome\n-+\n# sent   ~ deferred   x bounced\n",
        r"\n2026-03-02 09:00 +4  #+\n",
        r"\n2026-03-02 12:00 +1  ~+\n2026-03-02 13:00 +1  x+\n",
        r"\n +12 +0  received from login mallory\n",
        r"\n +1  deferred \(host \*\[\*\] said: 450 4\.2\.0 Greylisted\)\n",
        r"\n +1  bounced \(550 No such user\)\n",
        r"\n +12 +2\.5 s +2\.5 s  mx\.bar\.com\n",
        r"\n +1  11 h 49 min  bar\.com\n",
        r"\n1 s to 10 s +12  #+\n",
    ):
        assert re.search(pattern, done.stdout), pattern
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("dates", [("-d", "0001-01-01"), ("--last", "150000w")])
def test_dates_before_all_logs(indexed, dates):
    done = indexed.search("--overview", *dates)
    assert (0, "") == (done.returncode, done.stderr)
    assert "messages received" in done.stdout


def test_nothing_is_printed_in_cron_when_nothing_came(indexed):
    nothing = ("--overview", "-d", "2025-01-01", "-D", "2025-01-02")
    quiet = indexed.search(*nothing, "-q")
    assert (1, "", "") == (quiet.returncode, quiet.stdout, quiet.stderr)
    assert (1, "") == (indexed.search(*nothing).returncode, indexed.search(*nothing).stdout)
    assert "nothing found" in indexed.search(*nothing).stderr
    assert indexed.search("--overview", "-q", *DATES).stdout.startswith("Mail from 2026-03-02")
    assert 1 == indexed.search("--overview", "-q", "ABCDE0000A", "-d", "2025-01-01", "-D", "2025-01-02").returncode


def test_mail_that_waits_is_told_even_if_nothing_came(indexed):
    done = indexed.search("--overview", "-q", "-d", "2026-03-03", "-D", "2026-03-03")
    assert 0 == done.returncode
    assert re.search(r"\n +1  deferred\n", done.stdout)


def test_json_is_one_object(indexed):
    found = json.loads(indexed.search("--overview", *DATES, "--format", "json").stdout)
    assert {"sent": 12, "deferred": 1, "bounced": 1} == found["now"]["outcomes"]
    assert {"kind": "login", "value": "mallory", "before": 0, "now": 12} in found["unlike"]
    assert {"value": "mallory@foo.com", "number": 12, "bytes": 18000} == found["top"]["from"][0]
    assert 24 == len(found["periods"])


@pytest.mark.parametrize("flags", [("--format", "csv"), ("--trace",), ("-r", "5"), ("--by", "hour"), ("--count",)])
def test_flags_that_an_overview_does_not_have_are_errors(indexed, flags):
    assert 2 == indexed.search("--overview", *flags).returncode
    assert 2 == indexed.search("--format", "html").returncode


@pytest.fixture
def page(indexed):
    done = indexed.search("--overview", *DATES, "--format", "html")
    target = indexed.folder / "page.html"
    target.write_text(done.stdout)
    return target


def test_a_page_is_complete_in_itself_and_escapes_what_logs_say(page):
    text = page.read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search(r"<script|<link|<img|@import|url\(|https?:|\son\w+=", text)
    assert "\x1b" not in text
    assert 2 == text.count("<svg ")


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_a_browser_shows_the_page_and_finds_it_accessible(page, scheme, tmp_path):
    browser = Browser(tmp_path, scheme)
    found = browser.accessibility(page)
    assert [] == [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
    assert {"color-contrast", "document-title", "html-has-lang", "svg-img-alt"} <= set(found["passes"])
    browser.picture(page, tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    browser.pdf(page, tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_the_colours_follow_the_scheme(page, tmp_path):
    pictures = []
    for scheme in (LIGHT, DARK):
        Browser(tmp_path, scheme).picture(page, tmp_path / "page.png")
        pictures.append((tmp_path / "page.png").read_bytes())
    assert pictures[0] != pictures[1]
