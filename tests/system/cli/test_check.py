"""mailtrace-index --check of an embedded store: a damaged one, on a disk with space and on a full one."""

import os
import shutil
import subprocess
import time

import pytest

from helpers.mail_log import many
from helpers.requirements import lacking

IN_A_SMALL_DISK = """
mount -t tmpfs -o size=2m{options} none disk || exit 99
{bin}/mailtrace-index --check --store sqlite:disk/s.db; echo "status $?"
echo '2019-12-30T08:00:00Z mx postfix/smtp[5]: 40BC39868: removed' | {bin}/mailtrace-index -q --store sqlite:disk/s.db -
{fill}
{bin}/mailtrace-index --check --store sqlite:disk/s.db; echo "status $?"
"""


def on_a_small_disk(commands, options: str, fill: str) -> str:
    """Return the output on a small disk that is filled between two checks."""
    if os.geteuid() or shutil.which("unshare") is None:
        lacking("only root can mount a small disk in a namespace of its own")
    (commands.folder / "disk").mkdir()
    script = IN_A_SMALL_DISK.format(options=options, fill=fill, bin=commands.bin)
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script],
        cwd=commands.folder,
        env=commands.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lacking(f"this machine allows no mounts: {done.stderr}")
    return done.stdout


@pytest.mark.parametrize(
    ("options", "fill"),
    [
        ("", "dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null"),
        (",nr_inodes=12", "for i in $(seq 20); do echo > disk/fill$i; done 2>/dev/null"),
    ],
    ids=["bytes", "inodes"],
)
def test_a_full_disk_is_a_problem(commands, options, fill):
    before, after, _ = on_a_small_disk(commands, options, fill).split("status ")
    assert "problem" not in before
    assert after.startswith("0\n")
    assert "writable:    no, the disk is full\n" in after
    assert "problem:     the disk of disk/s.db is full: free some space, then run the indexer again\n" in after


def test_a_run_on_a_full_disk_says_what_to_do(commands):
    lines = [f"2019-12-30T08:00:00Z mx postfix/smtp[5]: {number:X}0BC39868: removed\n" for number in range(1, 20_000)]
    (commands.folder / "more.log").write_text("".join(lines))
    fill = f"{commands.bin}/mailtrace-index --store sqlite:disk/s.db more.log 2>&1"
    shown = on_a_small_disk(commands, "", fill)
    assert "disk is full: free some space, then run mailtrace-index again; what is stored is not lost\n" in shown


def test_a_disk_with_space_is_none(commands):
    before, after, status = on_a_small_disk(commands, "", "true").split("status ")
    assert "problem" not in before + after
    assert "writable:    yes\n" in after
    assert "0\n" == status


def test_a_damaged_store_is_reported_at_once(commands):
    (commands.folder / "mail.log").write_text(many(300))
    assert 0 == commands.index("mail.log").returncode
    path = commands.folder / "store" / "mailtrace.db"
    os.truncate(path, 8192)
    began = time.monotonic()
    for done in (commands.search("--count"), commands.index("--check"), commands.index("mail.log", "--from-start")):
        words = "is damaged (database disk image is malformed): move it away, then index the logs again\n"
        assert (2, f"{path} {words}") == (done.returncode, done.stderr.partition(": ")[2])
    assert time.monotonic() - began < 4
