"""Lines of a Postfix log for tests of the commands."""


def message(
    queue_id: str,
    *results: tuple[str, str, str],
    day: str = "2026-11-20",
    time: str = "10:00:00",
    sender: str = "news@example.net",
    host: str = "mx1",
) -> str:
    """Return the lines of a message; a result is recipient, relay and status (`sent (250 ok)`)."""
    begin = f"{day}T{time}+00:00 {host} postfix"
    lines = [
        f"{begin}/smtpd[1]: {queue_id}: client=list.example.net[192.0.2.9]",
        f"{begin}/cleanup[1]: {queue_id}: message-id=<{queue_id}@example.net>",
        f"{begin}/qmgr[1]: {queue_id}: from=<{sender}>, size=1000, nrcpt={len(results) or 1} (queue active)",
    ]
    lines += [
        f"{begin}/smtp[1]: {queue_id}: to=<{to}>, relay={relay}, delay=1, delays=0/0/0/1, dsn=2.0.0, status={status}"
        for to, relay, status in results
    ]
    return "".join(f"{line}\n" for line in lines)


def to_a_list(queue_id: str = "4A00000001", strangers: int = 197) -> str:
    """Return the lines of a message to three recipients of example.org and to many strangers."""
    relay = "mx.example.org[192.0.2.3]:25"
    return message(
        queue_id,
        ("ann@example.org", relay, "deferred (450 4.7.1 greylisted)"),
        ("ann@example.org", relay, "sent (250 ok)"),
        ("bob@example.org", relay, "sent (250 ok)"),
        ("cat@example.org", relay, "bounced (550 5.1.1 no such user)"),
        *((f"s{n}@stranger.test", "mx.stranger.test[192.0.2.4]:25", "sent (250 ok)") for n in range(strangers)),
    )


def many(number: int) -> str:
    """Return the lines of so many messages of one recipient each."""
    return "".join(
        message(
            f"4B{n:08X}",
            (f"to{n}@example.com", "mx.example.com[192.0.2.5]:25", "sent (250 ok)"),
            time=f"{11 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}",
            sender=f"from{n}@example.net",
        )
        for n in range(number)
    )
