"""mailtrace-search as a process: layouts, messages and exit statuses."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[3] / "sample_logs"
EXAMPLE = ["-f", "bob@foo.com", "-d", "2011-12-15 00:00:00", "-D", "2011-12-17 00:00:00", "-h", "smtp", "-r", "10"]


@pytest.fixture
def indexed(commands, index_once):
    done = index_once(commands, "-y", 2011, "--tz", "Europe/Madrid", SAMPLES / "sendmail.log")
    assert 0 == done.returncode, done.stderr
    return commands


def test_the_example_prints_two_transactions(indexed):
    done = indexed.search("--tz", "Europe/Madrid", *EXAMPLE)
    assert 0 == done.returncode
    assert (
        done.stdout
        == """\
transaction: pBFERI8l019936
client: bob.desktop [10.10.10.10]
from:   bob@foo.com
msgid:  20111215142718.GD23530@smtp.foo.com
date:   2011-12-15 15:27:19
to:     recipient='alice@bar.com' , relay='smtp.bar.com', status='Sent (Ok: queued as 5298B228B8B)'
host:   smtp

transaction: pBFDdOFC012829
client: bob.desktop [10.10.10.10]
from:   bob@foo.com
msgid:  20111215133924.GC23530@smtp.foo.com
date:   2011-12-15 14:39:25
to:     recipient='alice@bar.com' , relay='smtp.bar.com', status='Sent (Ok: queued as 16F49228B8B)'
host:   smtp
"""
    )


def test_the_oldest_come_first_on_request(indexed):
    newest = indexed.search("--format", "json").stdout.splitlines()
    oldest = indexed.search("--format", "json", "--oldest-first").stdout.splitlines()
    assert newest[::-1] == oldest
    assert oldest[:2] == indexed.search("--format", "json", "--oldest-first", "-r", 2).stdout.splitlines()


def test_last_ends_now(indexed):
    now = time.time()
    for ago, stamp in ((600, "A0000000001"), (6000, "A0000000002")):
        at = datetime.fromtimestamp(now - ago, timezone.utc).isoformat(timespec="seconds")
        line = f"{at} mx postfix/qmgr[1]: {stamp}: from=<ann@foo.com>, size=1, nrcpt=1 (queue active)\n"
        indexed.folder.joinpath(f"{ago}.log").write_text(line)
    assert 0 == indexed.index("600.log", "6000.log").returncode
    for flags, wanted in (
        (["--last", "1h"], ["A0000000001"]),
        (["--last", "1d"], ["A0000000001", "A0000000002"]),
        (["-d", "2 hours ago", "-D", "30 min ago"], ["A0000000002"]),
        (["-d", "yesterday", "-D", "now"], ["A0000000001", "A0000000002"]),
    ):
        found = indexed.search("--format", "json", *flags).stdout.splitlines()
        assert wanted == [json.loads(line)["transaction"] for line in found]


def test_a_count_is_a_number_and_none_is_nothing_found(indexed):
    some = indexed.search("--count", "-f", "bob@foo.com", "-h", "smtp")
    assert (0, "4\n") == (some.returncode, some.stdout)
    none = indexed.search("--count", "-f", "nobody@foo.com")
    assert (1, "0\n") == (none.returncode, none.stdout)
    assert '{"count":11}\n' == indexed.search("--count", "--format", "json").stdout
    assert "count\n11\n" == indexed.search("--count", "--format", "csv").stdout


def test_groups_come_the_largest_first(indexed):
    done = indexed.search("--by", "relay", "-r", 2)
    assert (
        done.stdout
        == """\
recipients  median  p95  relay
         6     1 s  1 s  smtp.bar.com
         2     0 s  1 s  local
"""
    )
    assert "3 more: -r 5 shows all\n" == done.stderr
    assert [{"by": "relay", "value": "smtp.bar.com", "count": 6, "median_delay": 1.0, "p95_delay": 1.0}] == [
        json.loads(line) for line in indexed.search("--by", "relay", "-r", 1, "--format", "json").stdout.splitlines()
    ]
    assert "from,count,bytes\n<>,1,0\n" == indexed.search("--by", "from", "-f", "<>", "--format", "csv").stdout
    assert 1 == indexed.search("--by", "from", "-f", "nobody@foo.com").returncode


def test_groups_have_bytes_two_values_and_an_order(indexed):
    done = indexed.search("--by", "login", "--by", "client", "-r", 3, "--sort", "name")
    assert "transactions" == done.stdout.split()[0]
    assert ["login", "client"] == done.stdout.splitlines()[0].split()[-2:]
    logins = [line.split("  ")[-2] for line in indexed.search("--by", "login", "--by", "host").stdout.splitlines()]
    assert "(none)" in logins
    rest = indexed.search("--by", "login", "--login", "*")
    assert (1, "") == (rest.returncode, rest.stdout)
    rows = [
        json.loads(line)
        for line in indexed.search("--by", "from", "--sort", "bytes", "--format", "json").stdout.splitlines()
    ]
    assert rows == sorted(rows, key=lambda row: -row["bytes"])
    assert rows[0]["bytes"] > 0
    pair = json.loads(indexed.search("--by", "to-domain", "--by", "outcome", "-r", 1, "--format", "json").stdout)
    assert (["to-domain", "outcome"], 2) == (pair["by"], len(pair["value"]))
    slow = indexed.search("--by", "to-domain", "--sort", "p95", "--format", "csv").stdout.splitlines()
    assert slow[0] == "to-domain,count,median_delay,p95_delay,bytes"
    delays = [float(line.split(",")[3] or -1) for line in slow[1:]]
    assert delays == sorted(delays, reverse=True)


def test_refusals_by_a_block_list_are_one_group(commands):
    log = commands.folder / "mail.log"
    log.write_text(
        "".join(
            f"Dec 15 15:27:{n % 60:02} mx postfix/smtpd[{n}]: NOQUEUE: reject: RCPT from host{n}.dyn.test[1.34.36.{n}]:"
            f" 554 5.7.1 Service unavailable; Client host [1.34.36.{n}] blocked using zen.spamhaus.org;"
            f" https://www.spamhaus.org/query/ip/1.34.36.{n}; from=<a{n}@x.test> to=<bob@foo.com> proto=ESMTP"
            f" helo=<h{n}.test>\n"
            for n in range(100)
        )
    )
    commands.index("-q", "-y", 2011, log)
    done = commands.search("--by", "status")
    assert [
        "100  rejected (554 5.7.1 Service unavailable; Client host [*] blocked using zen.spamhaus.org;"
        " https://www.spamhaus.org/query/ip/*)"
    ] == [line.strip() for line in done.stdout.splitlines()[1:]]


def test_hours_and_days_are_in_the_zone_and_in_order(indexed):
    madrid = ["--tz", "Europe/Madrid"]
    assert ["2011-12-17", "2011-12-16", "2011-12-15", "2011-12-14"] == [
        line.split()[-1] for line in indexed.search("--by", "day", *madrid).stdout.splitlines()[1:]
    ]
    done = indexed.search("--by", "hour", *madrid, "-r", 1, "--oldest-first")
    assert "transactions  hour\n           1  2011-12-14 23:00\n" == done.stdout


def test_csv_has_a_line_for_each_recipient(indexed):
    done = indexed.search("--format", "csv", "-q", "pBF8C2aB012210", "--tz", "Europe/Madrid")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert ["dave@bar.com", "erin@example.net"] == [row["recipient"] for row in rows]
    assert {"2011-12-15T09:12:03+01:00"} == {row["date"] for row in rows}


def on_a_terminal(commands, *arguments, **environment) -> str:
    ours, theirs = pty.openpty()
    environment = {**commands.environment, "TERM": "xterm", **environment}
    with subprocess.Popen(
        [commands.bin / "mailtrace-search", *map(str, arguments)], stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
    assert 0 == process.returncode
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_shows_the_outcome_of_each_recipient(indexed):
    shown = on_a_terminal(indexed, "-q", "pBG9Ex3Q022844")
    first, second = (line for line in shown.splitlines() if line.startswith("to:"))
    assert first.startswith("to:     \x1b[2;33mdeferred\x1b[0m (30 s) recipient='frank@slow.example' , relay=")
    assert second.startswith("to:     \x1b[1;32msent\x1b[0m (1 h) recipient='frank@slow.example' , relay=")


@pytest.mark.parametrize(
    "flags, environment", [(["--color", "never"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})]
)
def test_a_terminal_without_colours_still_shows_it(indexed, flags, environment):
    shown = on_a_terminal(indexed, "-q", "pBG9Ex3Q022844", *flags, **environment)
    assert "\x1b" not in shown
    assert "to:     sent (1 h) recipient=" in shown


def test_colours_can_be_forced_in_a_pipe(indexed):
    assert "\x1b[1;32msent" in indexed.search("--color", "always", "-r", 1, NO_COLOR="1").stdout
    assert "\x1b" not in indexed.search("-r", 1).stdout


def test_groups_have_bars_on_a_terminal(indexed):
    lines = on_a_terminal(indexed, "--by", "outcome").splitlines()
    assert "recipients                            outcome" == lines[0]
    assert f"        10  {'█' * 24}  sent" == lines[1]
    assert f"         1  {'██▍':<24}  bounced" == lines[2]


def test_long_shows_all_known_fields(indexed):
    shown = indexed.search("--long", "-q", "pBFERI8l019936").stdout
    for line in (
        "size:        1234",
        "nrcpt:       1",
        "mta:         sendmail",
        "removed:     yes",
        "             dsn:       2.0.0",
    ):
        assert f"{line}\n" in shown


def test_json_has_one_document_per_line_in_the_chosen_zone(indexed):
    done = indexed.search("--tz", "Europe/Madrid", "--format", "json", *EXAMPLE)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["2011-12-15T15:27:19+01:00", "2011-12-15T14:39:25+01:00"] == [each["date"] for each in documents]


@pytest.mark.parametrize(
    "arguments, number",
    [
        (["-t", "ALICE@bar.com"], 5),
        (["-t", "@bar.com", "-s", "bounced"], 1),
        (["-m", "<20111215142718.GD23530@smtp.foo.com>"], 1),
        (["-q", "pBFERI8l019936"], 1),
        (["-c", "10.10.10.10"], 5),
        (["-c", "carol.laptop"], 1),
        (["-f", "<>"], 1),
        (["-s", "rejected"], 1),
        (["-f", "b*@foo.com", "-h", "relay2"], 1),
        (["-D", "2011-12-14"], 1),
        (["-r", "3"], 3),
        (["-f", "bob@foo.com", "-f", "carol@foo.com"], 6),
        (["-s", "BOUNCED"], 1),
        (["-s", "deferred"], 0),
        (["--ever", "deferred"], 1),
        (["--ever", "deferred", "-t", "alice@bar.com"], 0),
        (["--ever", "deferred", "--status", "TIMED out", "--relay", "203.0.113.0/24"], 1),
        (["--ever", "deferred", "--status", "qp 4711"], 0),
        (["--relay", "*.example.net", "-t", "erin@example.net"], 1),
        (["--status", "user unknown", "--status", "relaying denied"], 2),
        (["-c", "10.10.10.0/24"], 8),
        (["-c", "*.desktop", "-h", "relay?"], 1),
        (["-m", "*@foo.com"], 1),
        (["--mta", "postfix"], 0),
        (["--login", "bob"], 0),
        (["alice@bar.com"], 6),
        (["alice@bar.com", "bob@foo.com", "-s", "sent"], 6),
        (["bob@foo.com", "-h", "smtp", "alice@bar.com"], 5),
        (["pBFERI8l019936"], 1),
        (["<20111215142718.GD23530@smtp.foo.com>"], 1),
        (["10.10.10.12"], 1),
        (["-d", "2011-12-15 15:00", "-D", "15 Dec 2011"], 2),
        (["-d", "2011-12-16", "--oldest-first"], 2),
    ],
)
def test_flags(indexed, arguments, number):
    found = indexed.search("--format", "json", *arguments).stdout
    assert number == found.count("\n"), found


@pytest.mark.parametrize("value", ["x' OR '1'='1", "*) OR (*", 'x" } }, {"match_all": {}', "x;--", "\\", "[a-z]*@x"])
def test_a_value_is_never_query_syntax(indexed, value):
    for flag in ("-f", "-t", "-m", "-q", "-c", "-h"):
        done = indexed.search(flag, value)
        assert (1, "") == (done.returncode, done.stdout)


def test_nothing_found_names_the_store(indexed):
    done = indexed.search("-f", "nobody@foo.com")
    assert (1, "") == (done.returncode, done.stdout)
    assert f"nothing found in {indexed.folder}/store/mailtrace.db\n" == done.stderr


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (["foo.com"], "foo.com was matched whole: write @foo.com for the domain, or '*foo.com*' to match part of it"),
        (
            ["-t", "Bar.com"],
            "Bar.com was matched whole: write @Bar.com for the domain, or '*Bar.com*' to match part of it",
        ),
        (["-f", "bob"], "bob was matched whole: write '*bob*' to match part of it"),
        (["alice", "--count"], "alice was matched whole: write '*alice*' to match part of it"),
        (["--trace", "carol"], "carol was matched whole: write '*carol*' to match part of it"),
        (["bob@foo.com", "bar"], "bar was matched whole: write '*bar*' to match part of it"),
    ],
)
def test_a_search_for_a_part_of_a_value_gets_a_hint(indexed, arguments, hint):
    done = indexed.search(*arguments)
    assert 1 == done.returncode
    assert f"nothing found in {indexed.folder}/store/mailtrace.db\n{hint}\n" == done.stderr
    assert 0 == indexed.search(re.search(r"'(\*.*\*)'", hint)[1]).returncode


@pytest.mark.parametrize(
    "word", ["pbferi8l019936", "192.0.2.99", "*@baz.com", "@baz.com", "<>", "4EE9@x", "192.0.2.0/24"]
)
def test_a_search_for_a_whole_value_gets_no_hint(indexed, word):
    done = indexed.search(word, "-h", "nowhere")
    assert 1 == done.stderr.count("\n"), done.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-d", "soon"], "not a date"),
        (
            ["-d", "2011-12-15", "00:00:00", "-h", "smtp"],
            "00:00:00: this is a time, not a search word: quote date and time",
        ),
        (["-D", "yesterday", "14:00"], "14:00: this is a time, not a search word"),
        ([""], "WORD '': empty text finds nothing"),
        (["-f", ""], "-f '': empty text finds nothing: leave -f out, or give a value"),
        (["-t", " "], "-t '': empty text finds nothing"),
        (["-m", ""], "-m '': empty text finds nothing"),
        (["-r", "ten"], "is not a number"),
        (["-s", "lost"], "unknown outcome; choose from sent, deferred"),
        (["-h"], "for help: --help"),
        (["-d", "2011-12-16", "-D", "2011-12-15"], "-d 2011-12-16 is after -D 2011-12-15"),
        (["-r", "0"], "is not a number"),
        (["--store", "sqlite:."], "nothing has been indexed at"),
        (["--tz", "Mars/Base"], "no such time zone"),
        (["--bob"], "for help: --help"),
        (["--ever", "lost"], "--ever lost: unknown outcome; choose from sent, deferred"),
        (["--min-delay", "10x"], "--min-delay 10x: not a duration; write it as 30s, 10m or 2h"),
        (["--mta", "qmail"], "choose from"),
        (["--by", "lane"], "choose from"),
        (["--by", "to", "--by", "to"], "--by counts by one or two different values"),
        (["--by", "to", "--by", "from", "--by", "host"], "--by counts by one or two different values"),
        (["--by", "from", "--sort", "p95"], "--sort p95: only recipients have delays"),
        (["--sort", "name"], "--sort orders groups: add --by"),
        (["--format", "xml"], "choose from"),
        (["--by", "to", "--count"], "--by and --count cannot be combined"),
        (["--count", "-r", "3"], "--count has no limit: leave -r out"),
        (["-c", "10.0.0.0/33"], "-c 10.0.0.0/33: not a network; write it as 192.0.2.0/24"),
        (["10.0.0.0/33"], "10.0.0.0/33: not a network; write it as 192.0.2.0/24"),
        (
            ["--relay", "@bar.com"],
            "--relay @bar.com: name a host, not the domain of an address: write bar.com or '*.bar.com'",
        ),
        (["-c", "@o'b.com"], """: write 'o'"'"'b.com' or '*.o'"'"'b.com'\n"""),
        (["--status", ""], "--status '': empty text finds nothing"),
        (["-q", " "], "-q '': empty text finds nothing"),
        (["--last", "2x"], "--last 2x: not a duration"),
        (["--last", "2h", "-d", "2011-12-15"], "--last and -d both set the start"),
        (["--last", "2h", "-D", "2011-12-15"], "--last 2h is after -D 2011-12-15"),
        (["-d", "10/11/2011"], "ambiguous: day or month first?"),
    ],
)
def test_invalid_flags_are_an_error_of_one_line(indexed, arguments, words):
    done = indexed.search(*arguments)
    assert 2 == done.returncode
    assert words in done.stderr
    assert 1 == done.stderr.count("\n")


def test_a_missing_store_is_an_error_not_an_empty_result(commands):
    done = commands.search("-f", "bob@foo.com")
    assert 2 == done.returncode
    assert "nothing has been indexed at" in done.stderr
    assert not (commands.folder / "store").exists()


def test_a_closed_pipe_is_silent(indexed):
    done = subprocess.run(
        ["bash", "-c", "mailtrace-search --format json | head -n 1"],
        env={
            **indexed.environment,
            "PATH": f"{Path(sys.executable).parent}:{indexed.environment['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert 1 == done.stdout.count("\n")


@pytest.mark.parametrize(
    "redirected, status",
    [
        ("mailtrace-search -f nobody@foo.com >&- 2>&-", 1),
        ("mailtrace-index sample_logs/missing.log 2>&-", 2),
        (f"mailtrace-index {SAMPLES}/sendmail.log >&-", 0),
        ("mailtrace-index - <&-", 2),
    ],
)
def test_closed_streams_change_no_status(indexed, redirected, status):
    done = subprocess.run(
        ["bash", "-c", redirected],
        env={
            **indexed.environment,
            "PATH": f"{Path(sys.executable).parent}:{indexed.environment['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert status == done.returncode
    assert "Traceback" not in done.stderr


OUTPUTS = [
    *(
        "search",
        "search --count",
        "search --by from",
        "search --trace",
        "search --overview --last 900w",
        "search --lines",
    ),
    *(f"search --format {form}" for form in ("csv", "json", "table")),
    *(f"{name} {flag}" for name in ("search", "index") for flag in ("--version", "--help", "--show-config")),
    *("index --check", f"index --explain {SAMPLES}/sendmail.log"),
]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    ("redirection", "words"),
    [
        (">&-", "standard output is closed: nothing was written"),
        ("<&- >&-", "standard output is closed: nothing was written"),
        (">/dev/full", "output: No space left on device"),
    ],
)
def test_output_that_cannot_be_written_is_an_error(indexed, output, redirection, words):
    done = indexed.run("/bin/sh", "-c", f"exec '{indexed.bin}'/mailtrace-{output} {redirection}")
    name = f"mailtrace-{output.partition(' ')[0]}"
    assert (2, f"{name}: {words}\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    "arguments", ["search -x", "search -f nobody@foo.com", f"index {SAMPLES}/sendmail.log", "index none"]
)
def test_messages_that_cannot_be_written_are_an_error(indexed, arguments):
    assert 2 == indexed.run("/bin/sh", "-c", f"exec '{indexed.bin}'/mailtrace-{arguments} 2>/dev/full").returncode


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_pipe_that_nobody_reads_is_silent(indexed, output):
    command = f"{{ sleep 1; '{indexed.bin}'/mailtrace-{output}; echo $? >&2; }} | :"
    assert "0\n" == indexed.run("/bin/sh", "-c", command).stderr


def test_a_search_writes_nothing_and_can_read_a_store_that_it_may_not_write(indexed):
    folder = indexed.folder / "store"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.chmod(0o440)
    folder.chmod(0o550)
    assert 0 == indexed.without_privileges("mailtrace-search", "-q", "pBFERI8l019936").returncode
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


def test_a_journey_as_a_tree(indexed):
    done = indexed.search("--tz", "Europe/Madrid", "--trace", "-f", "eve@foo.com")
    assert (0, "") == (done.returncode, done.stderr)
    assert (
        done.stdout
        == """\
msgid:  20111215150343.GE24001@smtp.foo.com
from:   eve@foo.com
date:   2011-12-15 16:03:44
hops:   2 on 1 host in 1 s: 1 bounced
smtp pBFF3hXa021030, 2011-12-15 16:03:44, from eve.desktop [10.10.10.12]  <-- found
├─ bounced: nobody@bar.com -> smtp.bar.com after 1 s: User unknown
└─ notice:
   smtp pBFF3iXa021032, 2011-12-15 16:03:45, +1 s
   └─ sent: eve@foo.com -> local after 0 s: Sent
"""
    )


def test_json_has_one_journey_per_line_in_the_order_of_the_search(indexed):
    found = [json.loads(line) for line in indexed.search("--format", "json").stdout.splitlines()]
    told = [json.loads(line) for line in indexed.search("--trace", "--format", "json").stdout.splitlines()]
    assert [document["transaction"] for document in found if not document["origin"]] == [
        journey["root"]["transaction"] for journey in told
    ]
    assert sum(journey["hops"] for journey in told) == len(found)


def test_journeys_are_separated_by_a_line_and_limited_by_matching_documents(indexed):
    done = indexed.search("--trace", "-f", "bob@foo.com", "-r", "2")
    assert ["msgid:", "msgid:"] == [part.split()[0] for part in done.stdout.split("\n\n")]


def test_no_journey_is_nothing_found(indexed):
    done = indexed.search("--trace", "-f", "nobody@foo.com")
    assert (1, "") == (done.returncode, done.stdout)
    assert "nothing found in" in done.stderr


def test_lines_are_those_of_the_log(indexed):
    done = indexed.search("--tz", "Europe/Madrid", "-q", "pBFERI8l019936", "--lines")
    log = [line for line in (SAMPLES / "sendmail.log").read_text().splitlines() if "pBFERI8l019936" in line]
    assert [f"2011-12-{line[4:]}" for line in log] == done.stdout.splitlines()[-len(log) :]
    (shown,) = indexed.search(
        "--tz", "Europe/Madrid", "-q", "pBFERI8l019936", "--lines", "--format", "json"
    ).stdout.splitlines()
    texts = [line["text"] for line in json.loads(shown)["lines"]]
    assert [line.partition("]: ")[2] for line in log] == texts
    trace = indexed.search("--tz", "Europe/Madrid", "-q", "pBFERI8l019936", "--lines", "--trace").stdout
    assert all(text in trace for text in texts)


@pytest.mark.parametrize("output", ["--count", "--by", "--overview", "--format csv", "--format table"])
def test_counts_and_tables_have_no_lines(indexed, output):
    done = indexed.search("--lines", *output.split(), *(["relay"] if output == "--by" else []))
    assert (2, "") == (done.returncode, done.stdout)
    assert f"mailtrace-search: --lines and {output} cannot be combined: {output} shows no log lines" in done.stderr
