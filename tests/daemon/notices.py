# SPDX-License-Identifier: MIT
"""What senders are told: failure, delay, success, relaying, and when nothing. Run by run.py; the
reports are read as they arrived at a server of the sender's (tests/lib/dsn.py)."""
import contextlib
import os
import signal

from dsn import Report
from sink import Sink
from tmail import Session, Tmail, wait_for

BUILD = None  # set by run.py
SENDER = "me@home.test"
CONTENT = (b"From: me@home.test\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
           b"Message-ID: <1@home.test>\r\nSubject: a letter\r\n\r\nDear you,\r\n.dot\r\n")


class Town:
    """A server whose mail all goes to one sink, `town.far`; what that says to a recipient is in
    `town.says`, by the first letters of its address. Mail to home.test arrives at `town.home`."""

    def __init__(self, settings="", offers=None, home=None):
        self.says, self.asked = {}, 0
        self.far = Sink(answer=self.answer, offers=offers)
        self.home = Sink(offers=home)
        self.server = Tmail(BUILD, f'queue = {{ host_rest = "0"; {settings} }};\n')

    def answer(self, verb, argument):
        if verb != "RCPT":
            return None
        self.asked += 1
        said = [reply for start, reply in self.says.items() if argument.startswith("TO:<" + start)]
        return said[0] if said else None

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        for each in (self.far, self.home, self.server):
            self.stack.enter_context(each)
        self.server.command("relayip", "add", "127.0.0.1")
        for host, sink in (("home.test", self.home), ("*", self.far)):
            self.server.command("routes", "add", "-d", host, "-rh", "127.0.0.1",
                                "-rp", str(sink.port))
        return self

    def __exit__(self, *trouble):
        return self.stack.__exit__(*trouble)

    def send(self, *recipients, sender=SENDER, mail="", content=CONTENT):
        """Recipients are (address, parameters) or an address."""
        session = Session(self.server.port)
        session.expect("EHLO client.test", 250)
        said = f"MAIL FROM:<{sender}>{mail}".encode() + b"\r\n"
        assert session.send(said).reply()[0] == 250
        for recipient in recipients:
            address, more = recipient if isinstance(recipient, tuple) else (recipient, "")
            said = f"RCPT TO:<{address}>{more}".encode() + b"\r\n"
            code, text = session.send(said).reply()
            assert code == 250, text
        session.expect("DATA", 354)
        session.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        code, text = session.reply()
        session.close()
        assert code == 250, text
        return text[0].rsplit(" ", 1)[1]

    def reports(self, count=1):
        """Those that came home."""
        got = self.home.wait(count)
        assert all(m.sender == "" for m in got)
        return [Report(m.content) for m in got]

    def empty(self):
        wait_for(lambda: self.server.queued() == 0, what="an empty queue")


def a_failure_is_reported_with_all_that_was_said():
    with Town() as town:
        town.says["no"] = "550-5.1.1 there is nobody\r\n550 5.1.1 of that name"
        queue_id = town.send(("no@far.test", " NOTIFY=FAILURE ORCPT=rfc822;Old+2BMe@past.test"),
                             "yes@far.test", mail=" RET=FULL ENVID=a+2Bb+20c")
        report = town.reports()[0]
        assert town.home.messages[0].recipients == [SENDER]
        assert report.type == "delivery-status"
        assert report.header["to"] == SENDER
        assert report.header["from"] == "Mail Delivery System <MAILER-DAEMON@mx.test>"
        of_message, of_recipient = report.of_message, report.recipient
        assert of_message["original-envelope-id"] == "a+b c"
        assert of_message["reporting-mta"] == "dns; mx.test"
        assert of_message["x-tmail-queue-id"] == queue_id
        assert of_recipient["original-recipient"] == "rfc822; Old+Me@past.test"
        assert of_recipient["final-recipient"] == "rfc822; no@far.test"
        assert of_recipient["action"] == "failed" and of_recipient["status"] == "5.1.1"
        assert of_recipient["remote-mta"] == "dns; [127.0.0.1]", of_recipient
        assert of_recipient["diagnostic-code"] == \
            "smtp; 550 5.1.1 there is nobody of that name", of_recipient
        assert "last-attempt-date" in of_recipient
        assert "<no@far.test>:\r\n" in report.text and "there is nobody" in report.text
        assert "yes@far.test" not in report.text
        assert report.whole and report.returned.endswith(CONTENT), report.returned
        assert report.returned.startswith(b"Received: from client.test")
        town.empty()


def one_report_tells_of_all_who_failed_together():
    with Town() as town:
        town.says.update({"a": "550 5.1.1 no a", "b": "553 5.1.3 no b", "c": "554 no c"})
        town.send("a@far.test", "b@far.test", "c@far.test", "d@far.test")
        got = {r["final-recipient"]: (r["status"], r["diagnostic-code"])
               for r in town.reports()[0].recipients}
        assert got == {"rfc822; a@far.test": ("5.1.1", "smtp; 550 5.1.1 no a"),
                       "rfc822; b@far.test": ("5.1.3", "smtp; 553 5.1.3 no b"),
                       "rfc822; c@far.test": ("5.0.0", "smtp; 554 no c")}, got
        town.empty()
        assert len(town.home.messages) == 1


def as_much_is_returned_as_was_asked_for_and_fits():
    large = CONTENT + b"and more\r\n" * 500
    with Town('bounce_size = "1K";') as town:
        town.says["no"] = "550 5.1.1 no"
        for n, (ret, content, whole) in enumerate((
                ("", CONTENT, True), (" RET=FULL", CONTENT, True), (" RET=HDRS", CONTENT, False),
                ("", large, False), (" RET=FULL", large, False))):
            town.send("no@far.test", mail=ret, content=content)
            report = town.reports(n + 1)[n]
            assert report.whole == whole, (ret, len(content))
            assert (b"Dear you" in report.returned) == whole
            assert b"Subject: a letter\r\n" in report.returned


def success_is_left_to_a_server_that_reports_it():
    with Town() as town:
        town.send(("a@far.test", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z.test"),
                  mail=" ENVID=q+3Dr RET=HDRS")
        town.empty()
        said = [line for _, line in town.far.wait(1)[0].talk.lines]
        assert any(line.endswith(" RET=HDRS ENVID=q+3Dr") for line in said), said
        assert any(" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z.test" in line
                   for line in said), said
        assert not town.home.messages


def relaying_to_a_server_that_does_not_is_reported():
    with Town(offers=("PIPELINING", "8BITMIME")) as town:
        town.send(("a@far.test", " NOTIFY=SUCCESS,FAILURE"), ("b@far.test", " NOTIFY=NEVER"),
                  ("c@far.test", " NOTIFY=FAILURE"), "d@far.test", mail=" ENVID=z RET=FULL")
        report = town.reports()[0]
        town.empty()
        assert report.recipient["final-recipient"] == "rfc822; a@far.test"
        assert report.recipient["action"] == "relayed" and report.recipient["status"] == "2.0.0"
        assert report.of_message["original-envelope-id"] == "z"
        assert not report.whole and b"Dear you" not in report.returned
        assert len(town.home.messages) == 1
        said = [line for _, line in town.far.messages[0].talk.lines]
        assert not any("NOTIFY" in line or "ENVID" in line for line in said), said


def a_delay_is_told_of_once_and_success_then_comes():
    with Town('retry = [ "1s" ]; delay_warning = "1s";') as town:
        town.says["late"] = "451 4.2.1 greylisted, come back"
        town.send("late@far.test", ("later@far.test", " NOTIFY=FAILURE"))
        report = town.reports()[0]
        assert report.recipient["final-recipient"] == "rfc822; late@far.test"
        assert report.recipient["action"] == "delayed"
        assert report.recipient["status"] == "4.2.1"
        assert report.recipient["diagnostic-code"] == "smtp; 451 4.2.1 greylisted, come back"
        assert "will-retry-until" in report.recipient
        assert "only a warning" in report.text and not report.whole
        asked = town.asked
        wait_for(lambda: town.asked > asked + 3)  # and nothing more is said of it
        town.says.clear()
        town.empty()
        assert len(town.home.messages) == 1


def what_is_given_up_keeps_the_last_words():
    with Town('retry = [ "1s" ]; lifetime = "2s";') as town:
        town.says["late"] = "451 4.2.1 not today"
        town.send("late@far.test")
        report = town.reports()[0]
        assert report.recipient["action"] == "failed" and report.recipient["status"] == "4.2.1"
        assert "in the queue for too long" in report.text
        town.empty()


def nobody_is_told_who_wants_to_know_nothing():
    with Town() as town:
        town.says["no"] = "550 5.1.1 no"
        town.send(("no@far.test", " NOTIFY=NEVER"), ("not@far.test", " NOTIFY=DELAY"))
        town.empty()
        assert not town.home.messages


def a_report_that_cannot_be_delivered_is_dropped_and_logged():
    with Town() as town:
        town.says["no"] = "550 5.1.1 no"
        town.send("no@far.test", sender="nobody@far.test")
        town.server.lines.wait(r"\bbounce_discarded\b.*\bto=nobody@far.test\b")
        town.empty()
        assert not town.far.messages and not town.home.messages


def a_sender_of_utf8_gets_a_report_of_utf8():
    with Town() as town:
        town.says["n\u00c3\u00b6"] = "550 5.1.1 wer\u00c3\u00b6?"  # octets, as the sink reads them
        town.send("n\u00f6@far.test", sender="\u00fc@home.test", mail=" SMTPUTF8",
                  content=b"Subject: gr\xc3\xbc\xc3\x9fe\r\n\r\nh\xc3\xb6r\r\n")
        report = town.reports()[0]
        assert report.type == "global-delivery-status"
        assert report.header["to"] == "\u00fc@home.test"
        assert report.recipient["final-recipient"] == "utf-8; n\u00f6@far.test"
        assert report.whole and "gr\u00fc\u00dfe".encode() in report.returned
        assert any("SMTPUTF8" in line for _, line in town.home.messages[0].talk.lines)


def without_smtputf8_a_report_is_ascii():
    with Town() as town:
        town.says["no"] = "550 5.1.1 no"
        town.send(("no@far.test", " ORCPT=utf-8;n\\x{F6}@far.test"))
        report = town.reports()[0]
        assert report.type == "delivery-status" and report.octets.isascii()
        assert report.recipient["original-recipient"] == "utf-8; n\\x{F6}@far.test"


def a_report_reaches_a_server_of_seven_bits():
    with Town('convert_8bit = "bounce";', home=("PIPELINING",)) as town:
        town.says["no"] = "550 5.1.1 no"
        body = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" \
            b"Content-Transfer-Encoding: 8bit\r\n\r\nh\xc3\xb6r\r\n"
        town.send("no@far.test", content=body)
        report = town.reports()[0]
        assert report.octets.isascii() and b"h=C3=B6r\r\n" in report.returned, report.returned
        # What has no other form goes as it is: a report that is dropped helps nobody.
        town.send("no@far.test", content=b"Subject: \xfc\r\n\r\nx\r\n")
        assert b"Subject: \xfc\r\n" in town.home.wait(2)[1].content
        town.empty()


def hostile_words_stay_in_their_place():
    words = "550 5.1.1 x\x1b[2J\x01\x7f\u00ff Action: delivered --=_tmail_0 " + "long " * 150
    with Town() as town:
        town.says["no"] = words
        town.says["many"] = "\r\n".join(["550-5.1.1 Action: delivered"] * 50 +
                                        ["550-5.1.1 ", "550 5.1.1 --"])
        town.send("no@far.test", "many@far.test", mail=" ENVID=x+3A+20y")
        report = town.reports()[0]
        assert [r["action"] for r in report.recipients] == ["failed", "failed"]
        assert report.of_message["original-envelope-id"] == "x: y"
        assert "\x1b" not in report.text and "\x01" not in report.text


TEMPLATE = """Subject: Zur\u00fcck an ${sender}

${me} sagt: ${recipients}
[delay]
${until}
"""
FIRST = """Date: {{.Date}}
From: MAILER-DAEMON@{{.Me}}
To: {{.RcptTo}}
Subject: failure notice

Hi from {{.Me}}
<{{.OriRcptTo}}>:
{{.ErrMsg}}
{{.BouncedMail}}
"""


def words_come_from_a_template():
    town = Town('bounce_template = "tpl/bounce.tpl";')
    town.server.write(TEMPLATE, "tpl/bounce.tpl")
    with town:
        town.says["no"] = "550 5.1.1 no"
        town.send("no@far.test")
        report = town.reports()[0]
        assert report.message["subject"] == "Zur\u00fcck an me@home.test", report.header
        assert report.text.startswith("mx.test sagt: <no@far.test>:\r\n"), report.text
        # Another, of the first tmail; the old stays while the new is wrong.
        town.server.write("Hi ${me}\n{{.Rcpt}}\n", "tpl/bounce.tpl")
        run = town.server.command("check", check=False)
        assert run.returncode == 1, run
        assert "bounce.tpl, line 2: there is no name 'Rcpt'" in run.stderr, run
        assert town.server.command("reload", check=False).returncode == 1
        town.send("no@far.test")
        assert town.reports(2)[1].text.startswith("mx.test sagt: ")
        town.server.write(FIRST, "tpl/bounce.tpl")
        town.server.command("reload")
        town.send("no@far.test")
        report = town.reports(3)[2]
        assert report.header["subject"] == "failure notice"
        assert report.text.startswith("Hi from mx.test\r\n<no@far.test>:\r\n127.0.0.1[")


def an_administrators_bounce_is_reported_running_or_not():
    with Town("deliver = false;") as town:
        town.server.write("${me} ${sender} ${recipients}", "tpl/bounce.tpl")
        with open(town.server.conf, encoding="utf-8") as f:
            text = f.read()
        text = text.replace("deliver = false;",
                            'deliver = false; bounce_template = "tpl/bounce.tpl";')
        town.server.write(text)
        town.server.command("reload")
        ids = [town.send((f"{n}@far.test", " ORCPT=rfc822;o@far.test"), mail=" ENVID=e")
               for n in "ab"]
        town.server.command("queue", "bounce", ids[0])
        assert town.server.stop() == 0
        town.server.command("queue", "bounce", ids[1])
        town.server.write(text.replace("deliver = false;", ""))
        town.server.start()
        for report in town.reports(2):
            assert report.of_message["original-envelope-id"] == "e"
            assert report.of_message["reporting-mta"] == "dns; mx.test"
            assert report.recipient["original-recipient"] == "rfc822; o@far.test"
            assert report.recipient["status"] == "5.7.1"
            assert "bounced by admin" in report.recipient["diagnostic-code"]
            assert report.text.startswith("mx.test me@home.test <"), report.text
            assert report.whole and report.returned.endswith(CONTENT)
        town.empty()
        assert not town.far.messages


def delivering_starts_and_stops_with_a_reload():
    with Town("deliver = false;") as town:
        town.send("a@far.test")
        assert town.server.queued() == 1 and not town.far.messages
        with open(town.server.conf, encoding="utf-8") as f:
            text = f.read()
        town.server.write(text.replace("deliver = false;", ""))
        town.server.command("reload")
        town.far.wait(1)
        town.server.write(text)
        town.server.command("reload")
        town.send("b@far.test")
        assert town.server.queued() >= 1 and len(town.far.messages) == 1


def whoever_failed_is_told_of_whatever_was_killed_when():
    """The server is killed as soon as it has said one of these things about a message."""
    with Town('retry = [ "1s" ];') as town:
        town.says["no"] = "550 5.1.1 no"
        for n, event in enumerate(("accepted", "report", "bounced", "accepted", "report")):
            lines = len(town.server.lines.lines)
            town.send(f"no{n}@far.test", f"yes{n}@far.test")
            said = town.server.lines.wait(rf"\b{event}\b", start=lines)
            pid = int(town.server.status()["pid"])
            os.kill(pid, signal.SIGKILL)
            town.server.lines.wait(r"\bserver_crashed\b", start=lines)
            wait_for(lambda: town.server.command("status", check=False).returncode == 0)
            assert said
        town.empty()
        told = [r["final-recipient"] for report in town.reports(5) for r in report.recipients]
        assert {f"rfc822; no{n}@far.test" for n in range(5)} == set(told), told
        came = [m.recipients for m in town.far.messages]
        assert {f"yes{n}@far.test" for n in range(5)} == {r for to in came for r in to}, came


CASES = (
    a_failure_is_reported_with_all_that_was_said, one_report_tells_of_all_who_failed_together,
    as_much_is_returned_as_was_asked_for_and_fits, success_is_left_to_a_server_that_reports_it,
    relaying_to_a_server_that_does_not_is_reported,
    a_delay_is_told_of_once_and_success_then_comes, what_is_given_up_keeps_the_last_words,
    nobody_is_told_who_wants_to_know_nothing,
    a_report_that_cannot_be_delivered_is_dropped_and_logged,
    a_sender_of_utf8_gets_a_report_of_utf8, without_smtputf8_a_report_is_ascii,
    a_report_reaches_a_server_of_seven_bits, hostile_words_stay_in_their_place,
    words_come_from_a_template,
    an_administrators_bounce_is_reported_running_or_not,
    delivering_starts_and_stops_with_a_reload,
    whoever_failed_is_told_of_whatever_was_killed_when,
)
