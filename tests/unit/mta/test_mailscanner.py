"""MailScanner's lines: which of them say where a Postfix message goes on."""

import pytest

from helpers.samples import Sample, described, samples
from mailtrace.indexing.classify import OtherProgram, classify
from mailtrace.mta.mailscanner import RULES, parse, rule_of
from mailtrace.syslog.frame import Frames
from mailtrace.syslog.timezones import zone_of

SAMPLES = samples("mailscanner.log")


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.where for sample in SAMPLES])
def test_sample(sample: Sample):
    assert rule_of(sample.program, sample.text).name == sample.rule
    assert described(parse(sample.program, sample.text)) == sample.expected


def test_every_rule_has_a_sample():
    assert {rule.name for rule in RULES} == {sample.rule for sample in SAMPLES}


def test_other_lines_are_no_mail_servers():
    line = "Mar  5 10:00:00 mx MailScanner[9]: New Batch: Scanning 1 messages, 1863 bytes"
    assert classify(line, Frames(zone_of("UTC"), 2024)) == OtherProgram("another program")
