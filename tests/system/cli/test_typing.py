"""What a person types: long flags, typing errors, flags that cannot be combined, and hints when nothing is found."""

import subprocess

import pytest

from helpers.mail_log import many, message, to_a_list


@pytest.fixture
def indexed(commands, index_once):
    (commands.folder / "mail.log").write_text(to_a_list(strangers=2) + many(3))
    assert 0 == index_once(commands, "mail.log").returncode
    return commands


def error_of(done) -> str:
    assert (2, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n")), done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "short, long, value",
    [
        ("-f", "--from", "news@example.net"),
        ("-t", "--to", "@example.org"),
        ("-m", "--msgid", "4A00000001@example.net"),
        ("-q", "--queue-id", "4A00000001"),
        ("-c", "--client", "192.0.2.9"),
        ("-h", "--host", "mx1"),
        ("-s", "--outcome", "bounced"),
        ("-d", "--since", "2026-11-20 11:00"),
        ("-D", "--until", "2026-11-20 10:30"),
        ("-r", "--limit", "2"),
    ],
)
def test_every_short_flag_has_a_long_form(indexed, short, long, value):
    found = indexed.search(short, value).stdout
    assert found
    assert found == indexed.search(long, value).stdout == indexed.search(f"{long}={value}").stdout


def test_the_indexer_has_long_forms_too(commands):
    (commands.folder / "mail.log").write_text(many(1).replace("2026-11-20T", "Nov 20 ").replace("+00:00", ""))
    assert (0, "") == ((done := commands.index("--quiet", "--year", 2026, "mail.log")).returncode, done.stderr)


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--frm", "x"], "--frm: unknown flag; did you mean --from?"),
        (["--outcom=sent"], "--outcom: unknown flag; did you mean --outcome?"),
        (["--recipient", "x"], "--recipient: unknown flag; did you mean --to?"),
        (["--sender", "x"], "--sender: unknown flag; did you mean --from?"),
        (["--all_recipients"], "--all_recipients: unknown flag; did you mean --all-recipients?"),
        (["-R", "5"], "-R: unknown flag; did you mean -r?"),
        (["-x"], "-x: unknown flag; for help: --help"),
        (["--xyzzyqwert"], "--xyzzyqwert: unknown flag; for help: --help"),
        (["-10"], "-10: unknown flag; write -r 10"),
        (["bob@foo.com", "-5"], "-5: unknown flag; write -r 5"),
        (["-from", "bob@foo.com"], "-from: unknown flag; write --from"),
        (["-help"], "-help: unknown flag; write --help"),
        (["-host", "mx1"], "-host: unknown flag; write --host"),
    ],
)
def test_an_unknown_flag_suggests_the_nearest(indexed, flags, words):
    assert words in error_of(indexed.search(*flags))


@pytest.mark.parametrize(
    "flags",
    [
        *(
            ["-h", "d"],
            ["-t", "m"],
            ["-f", "q"],
            ["--login", "t"],
            ["--relay", "h"],
            ["q"],
            ["r", "d"],
            ["-D", "2026-11-21", "t"],
        ),
        *(
            ["-t", "from"],
            ["from"],
            ["help"],
            ["-t=-bob@y.test"],
            ["--to=-bob@y.test"],
            ["-t=-f"],
            ["-t", "-10"],
            ["-f", "- x"],
        ),
        *(["--", "-bob@y.test"], ["x", "--", "-f", "-10"], ["-t", "x", "--", "--count"], ["--", "--", "-x"]),
    ],
)
def test_what_looks_like_a_flag_can_be_searched(indexed, flags):
    done = indexed.search("--count", *flags)
    assert (1, "0\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize(
    "flags, words",
    [
        (["-t", "-bob@y.test"], "-t: no value: if -bob@y.test is the value, write -t=-bob@y.test"),
        (["--from", "-o'b@x"], """--from: no value: if -o'b@x is the value, write --from='-o'"'"'b@x'"""),
        (["-t", "-from"], "-t: no value: if -from is the value, write -t=-from"),
        (["--to", "-f", "x"], "argument -t/--to: expected one argument"),
        (["-r", "-10"], "'-10' is not a number of results"),
        (["-bob@y.test"], "-bob@y.test: unknown flag; if it is an address, write -- -bob@y.test"),
    ],
)
def test_a_value_that_begins_like_a_flag_is_explained(indexed, flags, words):
    assert words in error_of(indexed.search(*flags))


def test_files_after_two_hyphens(commands):
    (commands.folder / "-y").write_text(many(1))
    (commands.folder / "a").write_text(many(2))
    assert 0 == commands.index("a", "--", "-y").returncode
    assert "2\n" == commands.search("--count").stdout


def test_the_indexer_suggests_too(commands):
    assert "--folow: unknown flag; did you mean --follow?" in error_of(commands.index("--folow", "mail.log"))
    assert "-10: unknown flag; for help: --help" in error_of(commands.index("-10", "mail.log"))


@pytest.mark.parametrize(
    "flags",
    [
        *(["--trace", other] for other in ("--count", "--all-recipients")),
        *(["--trace", "--format", form] for form in ("csv", "table")),
        ["--trace", "--columns", "date"],
        ["--by", "to", "--trace"],
        *(["--long", "--format", form] for form in ("csv", "json", "table")),
        ["--long", "--count"],
        ["--long", "--by", "relay"],
        ["--count", "-r", "5"],
        ["--count", "--oldest-first"],
        ["--count", "--all-recipients"],
        ["--count", "--columns", "date"],
        ["--by", "to", "--oldest-first"],
        ["--by", "to", "--columns", "date"],
        ["--by", "hour", "--all-recipients"],
        ["--columns", "date"],
        ["--columns", "date", "--format", "json"],
        ["--overview", "--by", "relay"],
        ["--overview", "--count"],
        ["--by", "relay", "--count"],
    ],
)
def test_flags_that_do_not_go_together_are_an_error(indexed, flags):
    words = error_of(indexed.search(*flags))
    assert "cannot be combined: " in words
    for flag in flags:
        assert not flag.startswith("--") or flag == "--format" or flag in words


def test_a_configured_format_is_named_with_its_source(indexed):
    file = indexed.folder / "mailtrace.toml"
    file.write_text('format = "csv"\n')
    assert f'--trace and format = "csv" ({file}) cannot be combined' in error_of(indexed.search("--trace"))
    assert 'format = "table" (MAILTRACE_FORMAT)' in error_of(indexed.search("--trace", MAILTRACE_FORMAT="table"))
    assert 0 == indexed.search("--trace", "--format", "text").returncode


@pytest.mark.parametrize(
    "flags",
    [
        ["--check", "--explain"],
        ["--check", "--follow"],
        ["--check", "--from-start"],
        ["--check", "-y", "2026"],
        ["--explain", "--follow", "mail.log"],
        ["--explain", "--from-start", "mail.log"],
        ["--jobs", "2", "--check"],
        *(["--jobs", "2", other, "mail.log"] for other in ("--explain", "--follow")),
        ["--jobs", "2", "--rebuild"],
    ],
)
def test_flags_of_the_indexer_that_do_not_go_together_are_an_error(commands, flags):
    assert "cannot be combined: " in error_of(commands.index(*flags))


@pytest.mark.parametrize("flags", [["--by", "hour", "--oldest-first"], ["--long", "--trace"], ["--trace", "-r", "1"]])
def test_these_go_together(indexed, flags):
    assert 0 == indexed.search(*flags).returncode


def test_long_journeys_show_every_known_field(indexed):
    shown = indexed.search("--long", "--trace", "-t", "cat@example.org").stdout
    for line in (
        "│  size:        1000",
        "│        dsn:       2.0.0",
        "│        relay:     mx.example.org[192.0.2.3]:25",
    ):
        assert f"{line}\n" in shown


PART = "was matched whole: write"


@pytest.mark.parametrize(
    "flags, hint",
    [
        (["-f", "news@"], f"news@ {PART} 'news@*' for this name in every domain"),
        (["-t", ".example.org"], f".example.org {PART} '*.example.org' for all names that end with it"),
        (["-t", "@.org"], f"@.org {PART} '*.org' for all names that end with it"),
        (["-t", "a@x.test,b@y.test"], "a@x.test,b@y.test is one value: for several, write -t a@x.test -t b@y.test"),
        (["to=<a@x.test>,<b@y.test>,"], "is one value: for several, write -t a@x.test -t b@y.test"),
        (["a@x.test, b@y.test"], "is one value: for several, write -t a@x.test -t b@y.test"),
        (["-t", "a@x.test;b@y.test"], "a@x.test;b@y.test is one value: for several, write -t a@x.test -t b@y.test"),
        (["-t", "@*ample.org"], f"@*ample.org {PART} '*@*ample.org' for every address in these domains"),
        (["@*ample.org"], f"@*ample.org {PART} '*@*ample.org' for every address in these domains"),
        (["--overview"], "the newest transaction in the store is of 2026-11-20 11:00:02, before --last 1d"),
        (["--overview", "-D", "2026-11-22"], "2026-11-20 11:00:02, before the day that ends with -D 2026-11-22"),
        (["-m", "4A0"], f"4A0 {PART} '*4A0*' to match part of it"),
        (["-c", "list"], f"list {PART} '*list*' to match part of it"),
        (["-c", ".example.net"], f".example.net {PART} '*.example.net'"),
        (["--relay", "mx.example"], f"mx.example {PART} '*mx.example*' to match part of it"),
        (["--login", "bo"], f"bo {PART} '*bo*' to match part of it"),
        (["-f", "o'brien@"], f"""o'brien@ {PART} 'o'"'"'brien@*' for this name"""),
        (["-t", "o'brien"], f"""o'brien {PART} '*o'"'"'brien*' to match"""),
        (["-t", ".o'brien.test"], f""".o'brien.test {PART} '*.o'"'"'brien.test' for all"""),
        (["-t", "@*.o'b.test"], f"""@*.o'b.test {PART} '*@*.o'"'"'b.test' for every address"""),
        (
            ["-t", "o'brien.test"],
            f"""o'brien.test {PART} '@o'"'"'brien.test' for the domain, or '*o'"'"'brien.test*'""",
        ),
        (["-t", "o'b@x.test,$c@y.test"], """for several, write -t 'o'"'"'b@x.test' -t '$c@y.test'"""),
        (["-c", "x.test[192.0.2.77]:25"], f"{PART} 192.0.2.77 for this address, whatever its name"),
        (["x.test [IPv6:2001:db8::1]"], f"{PART} 2001:db8::1 for this address, whatever its name"),
        (["-q", "4A*"], "-q 4A*: queue IDs match exactly, not by pattern"),
        (["-q", "4a00000001"], "-q 4a00000001: queue IDs match exactly: upper and lower case differ"),
        (["--status", "450 *"], "--status 450 *: this is plain text, not a pattern"),
        (["-h", "mx1.example.net"], "-h mx1.example.net: the logs have mx1: write -h mx1"),
        (["-h", "mx"], "-h mx: the logs have mx1: write -h mx1"),
        (["-s", "deferred"], "-s deferred is what finally became of a recipient: write --ever deferred"),
        (["-s", "queued"], "-s queued is what no delivery was tried for: write --queued for all"),
        (["-d", "2099-01-01"], "-d 2099-01-01 is in the future"),
        (["-d", "now"], "the newest transaction in the store is of 2026-11-20 11:00:02, before -d now"),
        (["-d", "2026-11-21"], "the newest transaction in the store is of 2026-11-20 11:00:02, before -d 2026-11-21"),
        (["-D", "last year"], "the oldest transaction in the store is of 2026-11-20 10:00:00, after -D last year"),
    ],
)
def test_nothing_found_hints_at_what_may_be_meant(indexed, flags, hint):
    done = indexed.search(*flags)
    assert (1, "") == (done.returncode, done.stdout)
    assert hint in done.stderr


@pytest.mark.parametrize(
    "flags, hint",
    [
        (["-f", "cat@example.org"], "-f cat@example.org: the store has this as a recipient: write -t cat@example.org"),
        (["-c", "mx.example.org"], "-c mx.example.org: the store has this as a next hop: write --relay mx.example.org"),
        (["mx.example.org[192.0.2.3]:25"], "as a next hop: write --relay 'mx.example.org[192.0.2.3]:25'"),
        (["--relay", "list.example.net"], "the store has this as a client: write -c list.example.net"),
        (["-h", "192.0.2.3"], "-h 192.0.2.3: the store has this as a next hop: write --relay 192.0.2.3"),
        (["mx1"], "mx1: the store has this as a host: write -h mx1"),
        (["-t", "4A00000001"], "-t 4A00000001: the store has this as a queue ID: write -q 4A00000001"),
        (["-m", "id=4A00000001@example.net"], PART + " 4A00000001@example.net"),
        (["--status", "status=bounced (550"], PART + " 'bounced (550'"),
        *(
            ([text.format("cat@example.org")], PART + " cat@example.org")
            for text in (
                "to={}",
                "Cat <{}>",
                "mailto:{}",
                '"{}"',
                "({})",
                "{}.",
                "{}>",
                "<{}",
                "4A00000001: to=<{}>, relay=x",
            )
        ),
        (["-q", "9F00000001"], "9F00000001 is linked to 4C00000001, but not in the store: write -q 4C00000001"),
        (["9F00000001"], "9F00000001 is linked to 4C00000001, but not in the store: write -q 4C00000001"),
    ],
)
def test_a_value_of_another_flag_is_hinted_at(commands, flags, hint):
    log = to_a_list(strangers=1) + message(
        "4C00000001", ("a@b.test", "mx.b.test[192.0.2.8]:25", "sent (250 Ok: queued as 9F00000001)")
    )
    (commands.folder / "mail.log").write_text(log)
    assert 0 == commands.index("mail.log").returncode
    done = commands.search(*flags)
    assert 1 == done.returncode
    assert hint in done.stderr


def test_now_is_not_in_the_future(indexed):
    assert "in the future" not in indexed.search("-d", "now", "--count").stderr


@pytest.mark.parametrize(
    "flags",
    [
        ["-t", "cat@example.org", "-s", "sent"],
        ["-t", "root", "-s", "bounced"],
        ["root", "--status", "nowhere to be found"],
        ["-t", "root", "--min-delay", "1h", "--by", "relay", "--sort", "p95"],
        ["-t", "root", "--relay", "local", "-c", "list.example.net", "-s", "expired"],
        ["--login", "carol", "-t", "cat@example.org"],
        ["carol", "--queued"],
        ["-h", "mx1", "-t", "root", "-s", "bounced"],
        ["-m", "plain-id", "-D", "2026-11-20 10:00", "-s", "expired"],
    ],
)
def test_a_value_that_is_found_alone_gets_no_hint(commands, flags):
    begin = "2026-11-20T10:00:00+00:00 mx1 postfix"
    log = message("4A00000001", ("root", "local", "sent (ok)"))
    log += f"{begin}/smtpd[2]: 4A00000002: client=list.example.net[192.0.2.9], sasl_username=carol\n"
    log += f"{begin}/cleanup[2]: 4A00000002: message-id=<plain-id>\n"
    (commands.folder / "mail.log").write_text(log + to_a_list("4A00000003", strangers=1))
    assert 0 == commands.index("mail.log").returncode
    done = commands.search(*flags)
    assert (1, f"nothing found in {commands.folder}/store/mailtrace.db\n") == (done.returncode, done.stderr)


def test_a_hint_can_be_pasted_into_a_shell(indexed):
    name = "o'brien | echo $HOME `id` &"
    hint = indexed.search("-f", name).stderr.partition(PART)[2].partition(" to match part of it")[0]
    pasted = subprocess.run(["sh", "-c", f"printf %s {hint}"], capture_output=True, text=True, check=True)
    assert f"*{name}*" == pasted.stdout


def test_a_file_name_in_a_message_can_be_pasted_into_a_shell(commands):
    (commands.folder / "alice's mail.log").write_text("no mail\n")
    assert """see --explain 'alice'"'"'s mail.log'\n""" in commands.index("alice's mail.log").stderr


def test_a_long_host_name_in_the_log_is_found_by_its_short_one_and_hinted_at(commands):
    (commands.folder / "mail.log").write_text(many(1).replace(" mx1 ", " mx1.example.net "))
    assert 0 == commands.index("mail.log").returncode
    assert "1\n" == commands.search("--count", "-h", "mx1").stdout
    hint = "-h mx1.example.org: the logs have mx1.example.net: write -h mx1.example.net\n"
    assert hint in commands.search("-h", "mx1.example.org").stderr


def test_an_empty_store_says_so(commands):
    (commands.folder / "mail.log").write_text("2026-11-20T10:00:00+00:00 mx1 postfix/qmgr[1]: 4A00000001: removed\n")
    commands.index("mail.log")
    assert "the store has no transactions yet" in commands.search("-f", "<>").stderr


@pytest.mark.parametrize(
    "flags",
    [
        ["-q", "4A00000001:"],
        ["4A00000001:"],
        ["-f", "<news@example.net>,"],
        ["-m", "<4A00000001@example.net>"],
        ["-t", "<cat@example.org>,"],
        ["-c", "192.0.2.9,", "-s", "bounced"],
        ["-c", "list.example.net[192.0.2.9]", "-s", "bounced"],
        ["-c", "list.example.net[192.0.2.9]:4567,", "-s", "bounced"],
        ["list.example.net[192.0.2.9]", "-s", "bounced"],
        ["client=list.example.net[192.0.2.9],", "-s", "bounced"],
        ["-c", "client=list.example.net[192.0.2.9]", "-s", "bounced"],
        ["-c", "H=list.example.net (helo) [192.0.2.9]:4567", "-s", "bounced"],
        ["to=<cat@example.org>,"],
        ["-t", "to=<cat@example.org>,"],
        ["-t", "cat@example.org", "-f", "from=<news@example.net>,"],
        ["message-id=<4A00000001@example.net>"],
        ["-m", "message-id=<4A00000001@example.net>"],
        ["--relay", "relay=mx.example.org[192.0.2.3]:25,", "-t", "cat@example.org"],
        ["--relay", "mx.example.org[192.0.2.3]:25,", "-t", "cat@example.org"],
        ["--relay", "mx.example.org[192.0.2.3]", "-t", "cat@example.org"],
        ["-h", "mx1:", "-t", "cat@example.org"],
    ],
)
def test_what_surrounds_a_value_in_a_log_is_stripped(indexed, flags):
    assert "1\n" == indexed.search("--count", *flags).stdout


def test_bytes_that_are_not_utf_8_are_found_as_they_were_logged(commands):
    log = commands.folder / "mail.log"
    log.write_bytes(
        b"2026-11-20T10:00:00Z mx1 postfix/qmgr[1]: 4A00000001: from=<caf\xe9@example.net>, size=1, nrcpt=1\n"
        b"2026-11-20T10:00:01Z mx1 postfix/smtp[1]: 4A00000001: to=<\xff@example.org>, relay=none, delay=1, dsn=4.4.1,"
        b" status=deferred (r\xe9ponse)\n"
    )
    assert 0 == commands.index("mail.log").returncode
    for flags in (
        ["-f", "caf\udce9@example.net"],
        ["\udcff@example.org"],
        ["--status", "r\udce9ponse"],
        ["-f", "caf\\xe9@*"],
    ):
        assert "1\n" == commands.search("--count", *flags).stdout, flags
    done = commands.search("\udcfe")
    assert "\\xfe was matched whole: write '*\\xfe*' to match part of it" in done.stderr


def test_a_status_keeps_its_punctuation(indexed):
    assert "0\n" == indexed.search("--count", "--status", "ok,").stdout
    assert "0\n" == indexed.search("--count", "--status", "550:").stdout


def test_hours_have_an_offset_only_where_the_clock_shows_them_twice(commands):
    log = "".join(many(1).replace("2026-11-20T11", f"2026-10-25T0{hour}").replace("4B0", f"4B{hour}") for hour in "012")
    (commands.folder / "mail.log").write_text(log)
    assert 0 == commands.index("mail.log").returncode
    lines = commands.search("--by", "hour", "--tz", "Europe/Madrid").stdout.splitlines()
    assert ["2026-10-25 03:00", "2026-10-25 02:00+01:00", "2026-10-25 02:00+02:00"] == [
        " ".join(line.split()[1:]) for line in lines[1:]
    ]
