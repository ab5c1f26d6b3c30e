"""Reading logs: blocks of whole lines, whatever the packing, the bytes and the length of lines."""

import bz2
import gzip
import lzma
import os
import re
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mailtrace.errors import LogError
from mailtrace.logs.file import MAX_LINE, LogFile, digest, mark_of
from mailtrace.logs.recognition import checkpoint_of, resume_point
from mailtrace.syslog.text import decoded

LINES = b"".join(b"line %d\n" % i for i in range(1000))


def read(path) -> tuple[list[str], int]:
    """All lines of a log, and how many were too long."""
    with LogFile(str(path)).open() as reader:
        blocks = list(reader.blocks())
    return [line for block in blocks for line in block.lines], sum(block.too_long for block in blocks)


@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_packing_is_told_by_the_first_bytes_not_by_the_name(tmp_path, packed):
    log = tmp_path / "mail.log"
    log.write_bytes(packed(LINES))
    lines, _ = read(log)
    assert LINES.decode().splitlines() == lines


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_packed_texts_one_after_the_other_are_one_text(tmp_path, packed):
    log = tmp_path / "mail.log"
    log.write_bytes(packed(b"a\n") + packed(b"b\n"))
    assert (["a", "b"], 0) == read(log)


def test_bytes_that_are_not_utf8_stay_different(tmp_path):
    log = tmp_path / "mail.log"
    log.write_bytes(b"\xe9\n\xe8\n\xc3\xa9\n")
    assert (["\\xe9", "\\xe8", "é"], 0) == read(log)


@pytest.mark.parametrize("length", [MAX_LINE + 1, 3 * MAX_LINE, 10_000_000])
def test_a_line_that_is_too_long_is_left_out_and_its_neighbours_are_read(tmp_path, length):
    log = tmp_path / "mail.log"
    log.write_bytes(b"before\n" + b"x" * length + b"\nafter\n")
    assert (["before", "after"], 1) == read(log)


def test_a_last_line_without_its_end_is_kept_back(tmp_path):
    log = tmp_path / "mail.log"
    log.write_bytes(b"whole\nhal")
    with LogFile(str(log)).open() as reader:
        assert [["whole"]] == [block.lines for block in reader.blocks()]
        with log.open("ab") as more:
            more.write(b"f\n")
        assert [["half"]] == [block.lines for block in reader.blocks()]


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_a_file_cut_short_gives_what_stands_before_and_says_so(tmp_path, packed):
    log = tmp_path / "mail.log"
    log.write_bytes(packed(os.urandom(2_000_000).hex().encode().replace(b"00", b"\n"))[:-2000])
    found = 0
    with LogFile(str(log)).open() as reader, pytest.raises(LogError, match="damaged or truncated"):
        for block in reader.blocks():
            found += len(block.lines)
    assert found > 3000


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_a_damaged_file_is_told(tmp_path, packed):
    log = tmp_path / "mail.log"
    whole = packed(os.urandom(2_000_000).hex().encode().replace(b"00", b"\n"))
    log.write_bytes(whole[:200_000] + os.urandom(5000) + whole[205_000:])
    with pytest.raises(LogError, match="damaged or truncated"):
        read(log)


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_what_follows_a_packed_text_and_is_not_packed_is_told(tmp_path, packed):
    log = tmp_path / "mail.log"
    log.write_bytes(packed(LINES) + b"damaged: " + packed(LINES))
    with pytest.raises(LogError, match="damaged or truncated"):
        read(log)


@pytest.mark.parametrize("size", [4, 200, 1 << 17, 400_000])
@pytest.mark.parametrize("packed", [gzip.compress, lzma.compress])
def test_zeros_after_a_packed_text_are_padding(tmp_path, packed, size):
    log = tmp_path / "mail.log"
    log.write_bytes(packed(b"a\n") + bytes(size) + packed(b"b\n") + bytes(size))
    assert (["a", "b"], 0) == read(log)


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
def test_a_small_file_with_a_long_text_is_unpacked_little_by_little(tmp_path, packed):
    log = tmp_path / "mail.log"
    log.write_bytes(packed(b"x" * 60_000_000 + b"\nafter\n"))
    tracemalloc.start()
    assert (["after"], 1) == read(log)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize("size", [10, 4096, 5000, 300_000])
def test_a_place_is_found_again_and_only_in_the_same_text(tmp_path, packed, size):
    text = b"".join(b"%08d something of a line\n" % i for i in range(size // 29 + 1))
    log = tmp_path / "mail.log"
    log.write_bytes(packed(text))
    with LogFile(str(log)).open() as reader:
        list(reader.blocks())
        checkpoint = checkpoint_of(reader, {}, 0.0)
    assert checkpoint is not None
    renamed = tmp_path / "mail.log.1"
    renamed.write_bytes(text + b"new\n")
    place = resume_point(LogFile(str(renamed)), [checkpoint])
    assert place is not None
    assert place.reader is not None
    with place.reader as more:
        assert [["new"]] == [block.lines for block in more.blocks()]
    renamed.write_bytes(text[:-1] + b"!\n")
    assert resume_point(LogFile(str(renamed)), [checkpoint]) is None


@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
@pytest.mark.parametrize("offset", [0, 7, 6000])
def test_reading_ahead_leaves_the_reader_where_it_is(tmp_path, packed, offset):
    log = tmp_path / "mail.log"
    log.write_bytes(packed(LINES))
    with LogFile(str(log)).open() as reader:
        assert reader.skip_to(offset)
        before = reader.offset, reader.tail, reader.mark
        for _ in range(2):
            with reader.ahead() as ahead:
                assert b"".join(line.encode() + b"\n" for b in ahead.blocks() for line in b.lines) == LINES[offset:]
            assert before == (reader.offset, reader.tail, reader.mark)
        # Its name may be another file's meanwhile.
        log.rename(tmp_path / "mail.log.1")
        log.write_bytes(b"another\n")
        assert b"".join(line.encode() + b"\n" for b in reader.blocks() for line in b.lines) == LINES[offset:]
        assert len(LINES) == reader.offset


def test_a_log_without_a_whole_line_is_not_known_yet(tmp_path):
    log = tmp_path / "mail.log"
    log.write_bytes(b"no end")
    with LogFile(str(log)).open() as reader:
        list(reader.blocks())
        assert checkpoint_of(reader, {}, 0.0) is None


def test_the_mark_is_whole_lines_of_the_first_bytes():
    assert b"a\n" == mark_of(b"a\nb")
    assert 4096 == len(mark_of(b"x" * 9000))
    assert digest(mark_of(LINES)) == digest(mark_of(LINES + b"more\n"))


# Which bytes a text stands for: those that are not UTF-8, and what looks like the escapes of these.
PIECES = [b"\xe9", b"\\", b"x", b"\\x", b"e9", b"5c", b"E9", b"\\xe9", b"\\x5c", b"\xc3\xa9", b"\xff", b"a", b"\\x7f"]


def encoded(text: str) -> bytes:
    """Return the bytes that a decoded text stands for."""
    return re.sub(
        rb"\\x([89a-f][0-9a-f]|5c)", lambda found: bytes.fromhex(found[1].decode()), text.encode("utf-8", "strict")
    )


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=8).map(b"".join))
def test_different_bytes_are_different_text(data):
    assert data == encoded(decoded(data))


@pytest.mark.parametrize(
    "data, text",
    [
        (b"\\xe9", "\\x5cxe9"),
        (b"\xe9", "\\xe9"),
        (b"\\x5cxe9", "\\x5cx5cxe9"),
        (b"C:\\xfer DOM\\user \\x41 \\n", "C:\\x5cxfer DOM\\user \\x41 \\n"),
        ("\\é €".encode(), "\\é €"),
    ],
)
def test_a_backslash_is_escaped_only_where_it_begins_an_escape(data, text):
    assert text == decoded(data)
