"""Runs in namespaces of its own: a Postfix and an rsyslog as Debian has them, mail, and mailtrace beside them.

Everything that they write is on file systems of this namespace alone, and the network is a loopback device alone.
Prints, as JSON, what the search found of each message and after how many seconds all of it was found.
"""

import json
import os
import shutil
import smtplib
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

BIN = Path(sys.executable).parent
CONTRIB = Path(__file__).parents[3] / "contrib"
WORK = Path(sys.argv[1])
MESSAGES = int(sys.argv[2])
MAIN = """\
compatibility_level = 3.6
myhostname = mx.example.test
mydestination = localhost
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps = unix:passwd.byname
smtpd_relay_restrictions = reject_unauth_destination
notify_classes =
bounce_notice_recipient = root@localhost
transport_maps = inline:{ { refused.test = smtp:[127.0.0.1]:1 }, { thrown.test = discard: },
    { none.test = error:5.1.2 no such domain }, { sender.test = local: } }
"""
RSYSLOG = f"""\
module(load="imuxsock")
$IncludeConfig {CONTRIB}/rsyslog/mailtrace.conf
mail.* -/var/log/mail.log
"""
RECIPIENTS = {
    "root@localhost": "sent",
    "nobody.such@localhost": "bounced",
    "a@refused.test": "deferred",
    "a@thrown.test": "discarded",
    "a@none.test": "bounced",
}


def run(*command: object, given: str = "") -> str:
    done = subprocess.run([str(word) for word in command], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def make_world() -> None:
    """Mount temporary file systems over the folders that the daemons write to."""
    for folder, mode in (("/var/log", "0755"), ("/var/mail", "1777"), ("/var/lib/postfix", "0755")):
        run("mount", "-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", folder)
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/spool/postfix")
    shutil.chown("/var/lib/postfix", "postfix", "postfix")
    devices = WORK / "dev"
    devices.mkdir()
    for name in ("null", "zero", "random", "urandom"):
        (devices / name).touch()
        run("mount", "--bind", f"/dev/{name}", devices / name)
    run("mount", "--rbind", devices, "/dev")
    settings = WORK / "postfix"
    shutil.copytree("/etc/postfix", settings)
    (settings / "main.cf").write_text(MAIN)
    run("postconf", "-c", settings, "-F", "*/*/chroot = n")
    run("mount", "--bind", settings, "/etc/postfix")
    run("ip", "link", "set", "lo", "up")
    run("hostname", "mx.example.test")
    (WORK / "rsyslog.conf").write_text(RSYSLOG)


def send(number: int) -> str | None:
    """Send one message; return its recipient and the expected outcome."""
    names = list(RECIPIENTS)
    to = names[number % len(names)]
    sender = f"sender{number}@sender.test"
    text = f"Message-ID: <{number}@sender.test>\nSubject: {number}\n\nhello\n"
    if number % 3:
        run("/usr/sbin/sendmail", "-f", sender, to, given=text)
        return RECIPIENTS[to]
    with smtplib.SMTP("127.0.0.1", 25) as server:
        try:
            server.sendmail(sender, [to], text.replace("\n", "\r\n"))
        except smtplib.SMTPException:
            return "rejected"
    return RECIPIENTS[to]


def found() -> dict[str, dict[str, str]]:
    """Return the outcome of each message by its sender, which is different for each message."""
    done = subprocess.run([BIN / "mailtrace-search", "--format", "json"], capture_output=True, text=True, check=False)
    documents = map(json.loads, done.stdout.splitlines())
    return {
        document["from"]: {entry["recipient"]: entry["outcome"] for entry in document["to"] if entry["last"]}
        for document in documents
        if (document["from"] or "").startswith("sender")
    }


def main() -> None:
    """Start everything, send mail, and wait until all of it is found."""
    make_world()
    os.environ["MAILTRACE_STORE"] = f"sqlite:{WORK}/store/mailtrace.db"
    os.environ["XDG_RUNTIME_DIR"] = str(WORK)
    run("rsyslogd", "-f", WORK / "rsyslog.conf", "-i", WORK / "rsyslogd.pid")
    run("postfix", "start")
    with subprocess.Popen([BIN / "mailtrace-index", "-q", "--follow", "/var/log/mail.log"]) as follower:
        expected = {f"sender{number}@sender.test": send(number) for number in range(MESSAGES)}
        sent = time.monotonic()
        results: dict[str, dict[str, str]] = {}
        while time.monotonic() < sent + 60:
            results = found()
            if {sender: next(iter(to.values()), None) for sender, to in results.items()} == expected:
                break
            time.sleep(0.2)
        seconds = time.monotonic() - sent
        follower.terminate()
    explained = run(BIN / "mailtrace-index", "--explain", "/var/log/mail.log").splitlines()[-1]
    with suppress(SystemExit):
        run("postfix", "stop")
    print(json.dumps({"expected": expected, "found": results, "seconds": seconds, "explained": explained}))


main()
