"""Write a deterministic, realistic mail log and the documents that a perfect reducer makes of it.

    genlog.py --mta mixed --transactions 50000 --hosts mx1,relay1,store1 --truth truth.ndjson > mail.log

One central log of several hosts, in time order, as rsyslog writes it (all times UTC). The same options
always give the same bytes. `--mta mixed` makes every second host a Sendmail; every second Postfix host
uses long queue ids and logs the `tls=` field that Postfix 3.11 added to delivery lines. What the lines
say is in genlog_hosts.py, which must lie beside this file; here is what happens, and to whom.

In it: SMTP, submission (SASL) and local mail; many recipients; hops from host to host and through a
content filter (same message-id, "queued as"); deferrals, expiry, bounces with their notification;
forwarding; rejects by milter and ruleset; queue ids used twice; DKIM lines with queue ids; odd addresses
(quoted, with commas, UTF-8, VERP, null); missing message-ids; and the lines that make half of a real
mail.log: connect, TLS, anvil, NOQUEUE rejects, failed logins, postscreen, dovecot.

Truth: NDJSON, one document per use of a queue id on a host; the order of documents means nothing:
  queue_id, host   as logged (host: the syslog one)
  date             of the first line of the queue id from the MTA, whole seconds, UTC
  client           what follows client= (Postfix) or relay= on the from= line (Sendmail); null if none
  from             without <>; "" is the null sender, also for Sendmail's DSNs, which log no from=
  msgid            without <>; null if none
  to               in log order, an entry for each recipient of each delivery attempt:
    recipient      without <>
    relay          as logged, "none" too; where there is no relay=, Sendmail's mailer= ("local"), else null
    status         what follows status= or stat=, to the end: "sent (250 ...)", "Sent (Ok: ...)";
                   "rejected (TEXT)" for a reject with a queue id (Postfix: milter-reject, TEXT up to the
                   last ";"; Sendmail: ruleset=..., reject=TEXT); "expired, returned to sender" (qmgr's line,
                   relay null) for each recipient whose last status is deferred.
Rejects without a queue id (NOQUEUE) are no transactions and have no document.
"""

import argparse
import heapq
import json
import random
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from genlog_hosts import BASE60, EPOCH, MAILBOX, REJECT, SPAM, Host, Postfix, Sendmail

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
LIFETIME = 3 * 3600  # a message deferred for longer expires
LOCAL = ("example.com", "example.org", "corp.example.net")
REMOTE = [
    a + b + tld
    for a in ("acme", "nord", "blue", "data", "city", "open", "uni", "fast")
    for b in ("mail", "works", "labs", "post")
    for tld in (".example", ".test", ".invalid")
]
NAMES = [
    "bob",
    "alice",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "rupert",
    "sybil",
    "trent",
    "victor",
    "walter",
    "zoe",
    "info",
    "sales",
    "support",
    "office",
]
ODD = ('"smith, j"@', "o'brien+list@", "josé@", '"a b"@', "x=y=z@", "first.last/dept@")
# How an attempt can end: whether a next hop is logged, the DSN code, the text.
ACCEPT = (
    (1, "2.0.0", "250 2.0.0 OK  1732460839 {r} - relay"),
    (1, "2.0.0", "250 2.0.0 Ok: queued as {r}"),
    (1, "2.6.0", "250 2.6.0 <{r}@{dom}> [InternalId={r}, Hostname=AM0.{dom}] Queued mail for delivery"),
)
DEFER = (
    (
        1,
        "4.2.0",
        "host {mx}[{ip}] said: 450 4.2.0 <{to}>: Recipient address rejected: Greylisted, see "
        "https://greylist.example/help/{dom} (in reply to RCPT TO command)",
    ),
    (1, "4.4.2", "lost connection with {mx}[{ip}] while sending RCPT TO"),
    (0, "4.4.1", "connect to {mx}[{ip}]:25: Connection timed out"),
)
BOUNCE = (
    (
        1,
        "5.1.1",
        "host {mx}[{ip}] said: 550 5.1.1 <{to}>: Recipient address rejected: User unknown in "
        "relay recipient table (in reply to RCPT TO command)",
    ),
    (0, "5.4.4", "Host or domain name not found. Name service error for name={dom} type=A: Host not found"),
    (
        1,
        "5.7.1",
        "host {mx}[{ip}] said: 550-5.7.1 [10.0.0.9] Our system has detected, that this is likely "
        "(95%) unsolicited mail 550 5.7.1 status=blocked (in reply to end of DATA command)",
    ),
)
QUOTA = (("lmtp", ""), "4.2.2", "Quota exceeded (mailbox is full)")


@dataclass
class Mail:
    sender: str
    rcpts: list
    msgid: str | None
    size: int = 0
    fate: str = "sent"  # or defer, bounce: then of the first destination


class Generator:
    def __init__(self, args, out):
        self.random, self.out, self.truth = random.Random(args.seed).random, out, args.truth
        self.iso, self.start, self.span = args.timestamps == "iso8601", args.start.timestamp(), args.days * 86400
        known: dict[str, list[type[Host]]] = {
            "postfix": [Postfix],
            "sendmail": [Sendmail],
            "mixed": [Postfix, Sendmail],
        }
        mtas = known[args.mta]
        self.hosts = [mtas[i % len(mtas)](self, i, name, i // len(mtas) % 2) for i, name in enumerate(args.hosts)]
        self.heap, self.added, self.second, self.stamp, self.docs, self.made = [], 0, None, "", [], 0

    # Lines are scheduled in any order, and written once nothing earlier can still be scheduled.
    def add(self, t, host, tag, text):
        self.added += 1
        heapq.heappush(self.heap, (t, self.added, host, tag, text))

    def flush(self, until):
        while self.heap and self.heap[0][0] < until:
            t, _, host, tag, text = heapq.heappop(self.heap)
            if int(t) != self.second:
                self.second, d = int(t), EPOCH + timedelta(seconds=int(t))
                day = f"{d:%Y-%m-%dT}" if self.iso else f"{MONTHS[d.month - 1]} {d.day:2} "
                self.stamp = f"{day}{d:%H:%M:%S}"
            fraction = f".{int(t % 1 * 1e6):06d}+00:00" if self.iso else ""
            self.out.write(f"{self.stamp}{fraction} {host} {tag}: {text}\n")
        if self.truth:
            self.truth.writelines(json.dumps(doc, ensure_ascii=False) + "\n" for doc in self.docs)
        self.docs.clear()

    def document(self, host, qid, t, client, mail):
        """Open the document of a transaction; returns its `to`."""
        self.made += 1
        date = (EPOCH + timedelta(seconds=int(t))).isoformat()
        self.docs.append(
            {
                "queue_id": qid,
                "host": host.name,
                "date": date,
                "client": client,
                "from": mail.sender,
                "msgid": mail.msgid,
                "to": [],
            }
        )
        return self.docs[-1]["to"]

    # People, machines, messages.
    def pick(self, items):
        return items[int(self.random() * len(items))]

    def chars(self, n, alphabet="0123456789ABCDEF"):
        return "".join([self.pick(alphabet) for _ in range(n)])

    def address(self, domains):
        r, name = self.random(), NAMES[int(self.random() ** 2 * len(NAMES))]
        name = self.pick(ODD) if r < 0.004 else f"{name}@" if r < 0.3 else f"{name}.{int(self.random() ** 2 * 900)}@"
        return name + self.pick(domains)

    def client(self):
        ip = ".".join([str(1 + int(self.random() * 222)) for _ in range(4)])
        return "unknown" if self.random() < 0.25 else f"mail{ip.partition('.')[0]}.{self.pick(REMOTE)}", ip

    def connection(self):
        return self.client(), self.address(LOCAL), self.address(REMOTE)

    def blank(self, sender):
        return Mail(sender, [], None)

    def mail(self, senders, receivers):
        r, fate, domain = self.random(), self.random(), self.pick(senders)
        n = 1 if r < 0.75 else 2 + int(self.random() * 4) if r < 0.95 else 10 + int(self.random() * 41)
        domains = [self.pick(receivers) for _ in range(1 + n // 3)]
        rcpts = list(dict.fromkeys(self.address(domains) for _ in range(n)))
        sender, r = self.address(senders), self.random()
        if r < 0.02:
            sender = ""
        elif r < 0.05:
            sender = f"bounces+{int(r * 1e7)}-{rcpts[0].replace('@', '=')}@lists.{domain}".replace('"', "")
        msgid = (
            None
            if r > 0.995
            else f"{self.chars(8)}.{int(r * 1e9)}@{domain}"
            if r > 0.5
            else f"CA+{self.chars(20, BASE60)}=x_{self.chars(6)}@mail.{domain}"
        )
        return Mail(
            sender,
            rcpts,
            msgid,
            600 + int(self.random() ** 4 * 4e6),
            "defer" if fate < 0.09 else "bounce" if fate < 0.12 else "sent",
        )

    # A transaction: the message comes in, deliveries are planned, each attempt is logged.
    def receive(self, host, t, mail, client=None, how="local"):
        """A message enters a host at t, by smtp, auth, local, hop, filter, forward or bounce. Returns its
        queue id, the reply to the previous hop, and the time of the reply."""
        qid, to, tag, begun = host.arrive(t, mail, client, how)
        if to:
            return qid, f"550 {SPAM}", begun
        end, bounced = begun, False
        for i, (hop, rcpts) in enumerate(self.routes(host, mail, how)):
            for at, verdict, some, *answer in self.plan(host, begun, mail, hop, rcpts, i == 0):
                host.attempt(at, t, qid, tag, mail, verdict, some, *answer, to)
                end, bounced = max(end, at), bounced or bool(verdict in ("bounced", "expired") and mail.sender)
        to.sort(key=lambda entry: entry.pop("at"))
        if bounced:
            end = host.bounced(end + 0.02, qid, tag, mail)
        return qid, host.done(end, qid), begun

    def routes(self, host, mail, how):
        """Where the message goes: a next host (itself: the content filter) or None, and the recipients."""
        if how == "smtp" and host.index == 0 and isinstance(host, Postfix) and self.random() < 0.15:
            return [(host, mail.rcpts)]
        if (later := self.hosts[host.index + 1 :]) and how not in ("forward", "bounce") and self.random() < 0.45:
            return [(self.pick(later), mail.rcpts)]
        domains = {}
        for rcpt in mail.rcpts:
            domains.setdefault(rcpt.rpartition("@")[2], []).append(rcpt)
        return [(None, rcpts) for rcpts in domains.values()]

    def plan(self, host, born, mail, hop, rcpts, first):
        """The delivery attempts to one destination: time, verdict, recipients, next hop (name and IP; None if
        not reached), DSN code, text."""
        dom, t = rcpts[0].rpartition("@")[2], born + 0.1 + self.random()
        local, n = dom in LOCAL and not hop, sum(map(ord, dom))
        mx, ip = (
            ("127.0.0.1", "127.0.0.1")
            if hop is host
            else (hop.fqdn, hop.ip)
            if hop
            else (f"mx{n % 3 + 1}.{dom}", f"198.51.{n % 100}.{n % 253 + 1}")
        )

        def answer(kinds):
            reached, code, text = self.pick(kinds)
            text = text.format(mx=mx, ip=ip, to=rcpts[0], dom=dom, r=self.chars(11))
            return (mx, ip) if reached else None, code, text

        if first and mail.fate == "defer" and hop is not host:
            for i in range(1 + int(self.random() ** 2 * 6)):
                yield t, "deferred", rcpts, *(QUOTA if local else answer(DEFER))
                if t - born > LIFETIME:
                    yield t + 0.05, "expired", rcpts, None, "", ""
                    return
                t += min(300 * 2**i, 4000) * (1 + self.random())
        if hop is host:
            _, reply, t = self.receive(hop, t, mail, ("localhost", ip), "filter")
            yield t + 0.03, "sent", rcpts, (mx, ip), "2.0.0", f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): {reply}"
        elif hop:
            sub = replace(mail, rcpts=list(rcpts), fate="sent")
            _, reply, t = self.receive(hop, t, sub, (host.fqdn, host.ip), "hop")
            yield t + 0.03, "sent", rcpts, (mx, ip), "2.0.0", reply
        elif local and first and mail.sender and self.random() < 0.03:
            sub = replace(mail, rcpts=[self.address(REMOTE)], fate="sent")
            qid, _, t = self.receive(host, t, sub, None, "forward")
            yield t, "sent", rcpts[:1], ("local", ""), "2.0.0", f"forwarded as {qid}"
            rcpts = rcpts[1:]
        elif first and mail.fate == "bounce":
            yield t, "bounced", rcpts[:1], *((("local", ""), "5.1.1", "unknown user") if local else answer(BOUNCE))
            rcpts = rcpts[1:]
        if rcpts and not hop:
            yield t + 0.2, "sent", rcpts, *((("lmtp", ""), "2.0.0", "") if local else answer(ACCEPT))

    def run(self, wanted):
        t, ticks = self.start, 0
        while self.made < wanted:
            ticks += 1
            gap = (self.start + self.span - t) * self.made / ticks / (wanted - self.made) if self.made else 1
            t += max(gap, 0.001) * 2 * self.random()
            self.flush(t - 1)
            host, kind = self.hosts[int(self.random() ** 2 * len(self.hosts))], self.random()
            if kind < 0.45:
                host.other(t, REJECT if kind < 0.17 else host.attack if kind < 0.27 else MAILBOX)
            elif kind < 0.66:
                mail = self.mail(LOCAL, LOCAL * 9 + tuple(REMOTE))
                self.receive(host, t, mail, *((self.client(), "auth") if kind < 0.6 else (None, "local")))
            else:
                self.receive(host, t, self.mail(REMOTE, LOCAL), self.client(), "smtp")
        self.flush(float("inf"))


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--mta", choices=("postfix", "sendmail", "mixed"), default="mixed")
    option("--transactions", type=int, default=1000, metavar="N", help="stop once there are so many (default 1000)")
    option("--hosts", type=lambda names: names.split(","), default=["mx1", "relay1", "store1"], metavar="A,B,...")
    option("--start", type=utc, default=utc("2026-11-20"), metavar="ISO", help="UTC (default 2026-11-20)")
    option("--days", type=float, default=1.0, help="over which mail arrives; retries can come later (default 1)")
    option("--timestamps", choices=("rfc3164", "iso8601"), default="rfc3164")
    option("--seed", type=int, default=1)
    option("--truth", type=argparse.FileType("w", encoding="utf-8"), metavar="FILE", help="the documents, as NDJSON")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    Generator(arguments, sys.stdout).run(arguments.transactions)
