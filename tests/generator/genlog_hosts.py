"""How a Postfix host and a Sendmail host log what happens on them; the other half of genlog.py.

A host logs through its generator `gen`: gen.add(time, host, tag, text) schedules a line, gen.document(...)
opens the document of a transaction and returns its `to`, gen.random() is the only source of chance.
"""

import heapq
from collections import deque
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"  # digits of Postfix's long queue ids
BASE60 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"  # and of Sendmail's
SPAM = "5.7.1 Spam message rejected; score=17.2 (limit 15)"
TLS = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
STARTTLS = "version=TLSv1.3, verify=NO, cipher=TLS_AES_256_GCM_SHA384, bits=256/256"
NOQUEUE = (
    "554 5.7.1 Service unavailable; Client host [{ip}] blocked using zen.spamhaus.org; "
    "https://www.spamhaus.org/query/ip/{ip}",
    "454 4.7.1 <{to}>: Relay access denied",
    "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
)
# Lines of what is no transaction: seconds from its start, program, text.
REJECT = (
    (0, "postfix/smtpd", "connect from {name}[{ip}]"),
    (
        0.5,
        "postfix/smtpd",
        "NOQUEUE: reject: RCPT from {name}[{ip}]: {why}; from=<{sender}> to=<{to}> proto=ESMTP helo=<{name}>",
    ),
    (0.9, "postfix/smtpd", "disconnect from {name}[{ip}] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"),
)
ATTACK = (
    (0, "postfix/postscreen", "CONNECT from [{ip}]:41234 to [{host.ip}]:25"),
    (0.1, "postfix/postscreen", "PASS OLD [{ip}]:41234"),
    (0.2, "postfix/smtpd", "connect from {name}[{ip}]"),
    (1, "postfix/smtpd", "warning: {name}[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"),
    (2, "postfix/smtpd", "lost connection after AUTH from {name}[{ip}]"),
    (2, "postfix/smtpd", "disconnect from {name}[{ip}] ehlo=1 auth=0/1 commands=1/2"),
    (99, "postfix/anvil", "statistics: max connection rate 1/60s for (smtp:{ip}) at Nov 24 10:00:00"),
)
SENDMAIL_ATTACK = ((0, "sendmail", "{name} [{ip}] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA"),)
MAILBOX = (
    (0, "", "imap-login: Login: user=<{to}>, method=PLAIN, rip={ip}, lip={host.ip}, TLS, session=<{r}>"),
    (30, "", "imap({to})<{host.qmgr}><{r}>: Disconnected: Logged out in=204 out=3412 deleted=0 expunged=0"),
)


class Host:
    def __init__(self, gen, index, name, long_ids):
        self.gen, self.index, self.name, self.long_ids = gen, index, name, long_ids
        self.fqdn, self.ip, self.qmgr = f"{name}.example.com", f"10.0.0.{index + 10}", 900 + 10 * index
        self.pools, self.last_pid, self.retired = {}, 2000 + 97 * index, deque()

    def add(self, t, tag, text):
        self.gen.add(t, self.name, tag, text)

    def process(self, program, start, end):
        """The tag of a process of the program that is idle at start; it is busy until end."""
        pool = self.pools.setdefault(program, [])
        if pool and pool[0][0] < start:
            pid = heapq.heappop(pool)[1]
        else:
            self.last_pid = pid = self.last_pid % 999_000 + 3
        heapq.heappush(pool, (end, pid))
        return f"{program}[{pid}]"

    attack: tuple[tuple[float, str, str], ...] = ()

    def reject(self, *_):
        """Log a refusal; return whether that was all of the connection."""
        raise NotImplementedError

    def other(self, t, lines):
        """The lines of a connection without a transaction."""
        gen, tags = self.gen, {"": "dovecot"}
        (name, ip), to, sender = gen.connection()
        if lines is REJECT and self.reject(t, name, ip, to, sender):
            return
        why, r = gen.pick(NOQUEUE).format(ip=ip, to=to), gen.chars(16, BASE60)
        for after, program, text in lines:
            tag = tags.get(program) or tags.setdefault(program, self.process(program, t, t + 3))
            self.add(t + after, tag, text.format(name=name, ip=ip, to=to, sender=sender, why=why, r=r, host=self))


class Postfix(Host):
    attack = ATTACK

    def reject(self, *_):
        return False  # as in REJECT: without a queue id

    def queue_id(self, t, _=0):
        usec, inode = int(t % 1 * 1e6), int(self.gen.random() * 3600)
        if not self.long_ids and self.retired and self.retired[0][0] < t - 3600 and self.gen.random() < 0.002:
            return self.retired.popleft()[1]
        if not self.long_ids:
            return f"{usec:05X}{0x200000 + inode * 47:X}"
        digits = [int(t) // 52**i % 52 for i in (5, 4, 3, 2, 1, 0)] + [usec // 52**i % 52 for i in (3, 2, 1, 0)]
        rest = [(inode + 200_000) // 51**i % 51 for i in (3, 2, 1, 0)]
        return "".join([BASE52[i] for i in digits]) + "z" + "".join([BASE52[i] for i in rest])

    def arrive(self, t, mail, client, how):
        """Log that a message comes in. Returns its queue id, the document's `to`, the tag, and when it is in."""
        gen, took, tag, more = self.gen, 0.2 + self.gen.random() * 2, "", ""
        if client:
            peer, tag = f"{client[0]}[{client[1]}]", f"postfix/{'submission/' * (how == 'auth')}smtpd"
            tag = self.process(tag, t, t + took + 0.5)
            self.add(t, tag, f"connect from {peer}")
            if how != "filter" and gen.random() < 0.7:
                self.add(t + 0.05, tag, f"Anonymous TLS connection established from {peer}: {TLS}")
            self.add(
                t + took + 0.4,
                tag,
                f"disconnect from {peer} ehlo=2 starttls=1 mail=1 rcpt={len(mail.rcpts)} data=1 quit=1 commands=7",
            )
            t += took
        qid = self.queue_id(t)
        if how == "bounce":
            mail.msgid = f"{EPOCH + timedelta(seconds=int(t)):%Y%m%d%H%M%S}.{qid}@{self.fqdn}"
        to = gen.document(self, qid, t, peer if client else None, mail)
        if client:
            more = {
                "auth": f", sasl_method=PLAIN, sasl_username={mail.sender}",
                "filter": ", orig_client=unknown[192.0.2.7]",
            }.get(how, "")
            self.add(t, tag, f"{qid}: client={peer}{more}")
        elif how == "local":
            self.add(t, f"postfix/pickup[{self.qmgr + 1}]", f"{qid}: uid=33 from=<{mail.sender.partition('@')[0]}>")
        cleanup = self.process("postfix/cleanup", t, t + 0.3)
        self.add(t + 0.02 * bool(client or how == "local"), cleanup, f"{qid}: message-id=<{mail.msgid or ''}>")
        if how == "smtp" and gen.random() < 0.01:
            to.append({"recipient": mail.rcpts[0], "relay": None, "status": f"rejected ({SPAM})"})
            self.add(
                t + 0.1,
                cleanup,
                f"{qid}: milter-reject: END-OF-MESSAGE from {peer}: {SPAM}; "
                f"from=<{mail.sender}> to=<{mail.rcpts[0]}> proto=ESMTP helo=<{client[0]}>",
            )
            return qid, to, tag, t + 0.1
        if how == "auth":
            domain = mail.sender.rpartition("@")[2]
            self.add(t + 0.05, "opendkim[612]", f"{qid}: DKIM-Signature field added (s=s1, d={domain})")
        self.activate(t + 0.15, qid, mail)
        return qid, to, tag, t + 0.15

    def activate(self, t, qid, mail):
        self.add(
            t,
            f"postfix/qmgr[{self.qmgr}]",
            f"{qid}: from=<{mail.sender}>, size={mail.size}, nrcpt={len(mail.rcpts)} (queue active)",
        )

    def attempt(self, t, born, qid, _, mail, verdict, rcpts, where, code, text, to):  # noqa: PLR0913 # a line has so many fields
        """Log one delivery attempt and add it to the document."""
        gen = self.gen
        if verdict == "expired":
            status = "expired, returned to sender"
            self.add(t, f"postfix/qmgr[{self.qmgr}]", f"{qid}: from=<{mail.sender}>, status={status}")
            to += [{"recipient": r, "relay": None, "status": status, "at": t} for r in rcpts]
            return
        local, late = where and not where[1], t - born > 200
        relay = (
            "none"
            if not where
            else "local"
            if where[0] == "local"
            else f"{self.fqdn}[private/dovecot-lmtp]"
            if local
            else f"{where[0]}[{where[1]}]:{10024 if where[0] == where[1] else 25}"
        )
        tag = f"postfix/{where[0] if local else 'smtp'}"
        if late:  # a retry, planned ahead: it takes no process from the pool of those that are idle now
            tag = f"{tag}[{200_000 + int(gen.random() * 90000)}]"
            self.activate(t - 0.1, qid, mail)
        else:
            tag = self.process(tag, t - 0.1, t + 0.1)
        if where and not local and gen.random() < 0.7:
            self.add(t - 0.05, tag, f"Trusted TLS connection established to {relay}: {TLS}")
        tls = ", tls=secure" if self.long_ids and where and not local else ""
        orig = ", orig_to=<staff@example.com>" if text.startswith("forwarded") else ""
        took = f"{t - born:.0f}" if t - born > 99 else f"{t - born:.2g}"
        for i, rcpt in enumerate(rcpts):
            status = f"{verdict} ({text or f'250 2.0.0 <{rcpt}> {gen.chars(22, BASE60)} Saved'})"
            self.add(
                t + i / 1e5,
                tag,
                f"{qid}: to=<{rcpt}>{orig}, relay={relay}, delay={took}, "
                f"delays={took}/0.01/0.1/0.3{tls}, dsn={code}, status={status}",
            )
            to.append({"recipient": rcpt, "relay": relay, "status": status, "at": t + i / 1e5})

    def bounced(self, t, qid, _, mail):
        """Log the bounce message; returns when it is sent."""
        note = type(mail)("", [mail.sender], "", mail.size + 2000)
        dsn, _, end = self.gen.receive(self, t, note, None, "bounce")
        tag = self.process("postfix/bounce", end, end + 1)
        self.add(end + 0.02, tag, f"{qid}: sender non-delivery notification: {dsn}")
        return end

    def done(self, t, qid):
        """The message leaves the queue; returns the reply that its client had."""
        self.add(t + 0.03, f"postfix/qmgr[{self.qmgr}]", f"{qid}: removed")
        self.retired.append((t, qid))
        return f"250 2.0.0 Ok: queued as {qid}"


class Sendmail(Host):
    attack = SENDMAIL_ATTACK

    def queue_id(self, t, tag):
        d, seq = EPOCH + timedelta(seconds=int(t)), int(self.gen.random() * 3600)
        digits = ((d.year - 1900) % 60, d.month - 1, d.day, d.hour, d.minute, d.second, seq // 60, seq % 60)
        return "".join([BASE60[i] for i in digits]) + f"{int(tag[9:-1]):06d}"

    def reject(self, t, name, ip, to, sender):
        tag, peer, why = self.process("sendmail", t, t + 5), f"{name} [{ip}]", f"550 5.7.1 <{to}>... Relaying denied"
        qid = self.queue_id(t, tag)
        self.add(t, tag, f"{qid}: ruleset=check_rcpt, arg1=<{to}>, relay={peer}, reject={why}")
        self.add(
            t + 0.4, tag, f"{qid}: from=<{sender}>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA, relay={peer}"
        )
        self.gen.document(self, qid, t, peer, self.gen.blank(sender)).append(
            {"recipient": to, "relay": None, "status": f"rejected ({why})"}
        )
        return True

    def arrive(self, t, mail, client, how):
        random, tag, peer = self.gen.random, self.process("sendmail", t, t + 30), "root@localhost"
        qid, msgid = self.queue_id(t, tag), f"msgid=<{mail.msgid}>, " if mail.msgid else ""
        if client:
            name = f"{client[0]} " if client[0] != "unknown" else ""
            peer = f"{name}[{client[1]}]" + (" (may be forged)" if random() < 0.03 else "")
            if random() < 0.7:
                self.add(t, tag, f"STARTTLS=server, relay={peer}, {STARTTLS}")
            if how == "auth":
                self.add(t + 0.1, tag, f"AUTH=server, relay={peer}, authid={mail.sender}, mech=PLAIN, bits=0")
        t += 0.3 + random()
        self.add(
            t,
            tag,
            f"{qid}: from=<{mail.sender}>, size={mail.size}, class=0, nrcpts={len(mail.rcpts)}, {msgid}"
            f"{'proto=ESMTPS, daemon=MTA, ' if client else ''}relay={peer}",
        )
        if client and random() < 0.6:
            self.add(t + 0.01, tag, f"{qid}: Milter insert (1): header: X-Spam-Status: No, score=-0.1 required=5.0")
        return qid, self.gen.document(self, qid, t, peer, mail), tag, t + 0.05

    def attempt(self, t, born, qid, tag, mail, verdict, rcpts, where, code, text, to):  # noqa: PLR0913 # a line has so many fields
        local, delay = where and not where[1], timedelta(seconds=int(t - born))
        mailer, relay = ("local", "") if local else ("esmtp", f"relay={where[0]}. [{where[1]}], " if where else "")
        stat = {
            "deferred": f"Deferred: {text}",
            "bounced": "User unknown",
            "sent": "Sent" if local else f"Sent ({text[10:]})",
        }.get(verdict)
        if where and not local and self.gen.random() < 0.6:
            self.add(t - 0.05, tag, f"STARTTLS=client, relay={where[0]}., {STARTTLS}")
        for some in (rcpts[i : i + 10] for i in range(0, len(rcpts), 10) if stat):  # an expiry is logged by its DSN
            self.add(
                t,
                tag if t - born < 200 else f"sendmail[{200_000 + int(t) % 9000}]",
                f"{qid}: to={','.join([f'<{r}>' for r in some])}, delay={delay!s:0>8}, xdelay=00:00:01, "
                f"mailer={mailer}, pri={30000 + mail.size}, {relay}dsn={code}, stat={stat}",
            )
            to += [{"recipient": r, "relay": relay[6:-2] or mailer, "status": stat, "at": t} for r in some]

    def bounced(self, t, qid, tag, mail):
        note, mx = self.queue_id(t, tag), f"mx1.{mail.sender.rpartition('@')[2]}. [198.51.100.25]"
        stat = f"Sent (Ok: queued as {self.gen.chars(11)})"
        self.add(t, tag, f"{qid}: {note}: DSN: User unknown")
        self.add(
            t + 0.5,
            tag,
            f"{note}: to=<{mail.sender}>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=31000, "
            f"relay={mx}, dsn=2.0.0, stat={stat}",
        )
        self.gen.document(self, note, t, None, self.gen.blank("")).append(
            {"recipient": mail.sender, "relay": mx, "status": stat}
        )
        return t

    def done(self, _, qid):
        return f"250 2.0.0 {qid} Message accepted for delivery"
