# SPDX-License-Identifier: MIT
"""A delivery report taken apart as strictly as its RFCs allow (3464, 3462, 6533, 2045, 5322), with
Python's email package for what that knows. Whatever is not as it must be raises."""
import email
import email.errors
import email.parser
import email.policy
import email.utils
import re

STRICT = email.policy.SMTP.clone(raise_on_defect=True)
# (of a message, of a recipient) in the order of RFC 3464 2.2 and 2.3.
FIELDS = (
    ("original-envelope-id", "reporting-mta", "x-tmail-queue-id", "arrival-date"),
    ("original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code",
     "last-attempt-date", "will-retry-until"),
)
NEEDED = (("reporting-mta",), ("final-recipient", "action", "status"))
TYPED = {"reporting-mta": "dns", "remote-mta": "dns", "final-recipient": "rfc822|utf-8",
         "original-recipient": "[!-~]+", "diagnostic-code": "smtp|x-tmail"}
ACTIONS = {"failed": "[45]", "delayed": "4", "delivered": "2", "relayed": "2", "expanded": "2"}


def lines_check(octets):
    """RFC 5322 2.1: CRLF and nothing else ends a line; 998 octets at most, NUL never."""
    assert octets.endswith(b"\r\n") and b"\0" not in octets
    for line in octets[:-2].split(b"\r\n"):
        assert len(line) <= 998 and b"\r" not in line and b"\n" not in line, line


def split_header(octets):
    head, _, body = octets.partition(b"\r\n\r\n")
    return head + b"\r\n", body


def fields_of(octets):
    """Of a header, unfolded: [(name in lower case, value)]."""
    fields = []
    for line in octets.split(b"\r\n")[:-1]:
        text = line.decode("utf-8")
        if text[:1] in (" ", "\t"):
            assert fields and text.strip(), "a folded line of nothing, or of no field"
            fields[-1] = (fields[-1][0], fields[-1][1] + " " + text.strip())
        else:
            name, colon, value = text.partition(":")
            assert colon and re.fullmatch(r"[!-9;-~]+", name), f"{text!r} is no field"
            fields.append((name.lower(), value.strip()))
    return fields


def group_check(fields, kind):
    names = [name for name, _ in fields]
    assert names == [name for name in FIELDS[kind] if name in names], f"order or names: {names}"
    for name in NEEDED[kind]:
        assert name in names, f"{name} is missing in {names}"
    found = dict(fields)
    for name, value in fields:
        if name in TYPED:
            assert re.fullmatch(f"({TYPED[name]}); .+", value), f"{name}: {value}"
        if name.endswith("-date") or name == "will-retry-until":
            assert email.utils.parsedate_to_datetime(value).tzinfo is not None, value
    if kind:
        pattern = ACTIONS[found["action"]] + r"\.\d{1,3}\.\d{1,3}"
        assert re.fullmatch(pattern, found["status"]), found
    return found


class Report:
    """of_message, recipients: fields by name in lower case; text; returned, octets, which are
    whole or only a header."""

    def __init__(self, octets):
        lines_check(octets)
        self.octets = octets
        head, body = split_header(octets)
        self.message = email.parser.BytesHeaderParser(policy=email.policy.default).parsebytes(head)
        self.head_check(head)
        boundary = self.message.get_boundary().encode()
        assert re.fullmatch(rb"[!-~]{1,70}", boundary), boundary
        pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
        assert len(pieces) == 5 and pieces[4] == b"--\r\n", f"{len(pieces)} pieces"
        assert all(piece.startswith(b"\r\n") for piece in pieces[1:4])
        parts = [split_header(piece[2:]) for piece in pieces[1:4]]
        self.parts_check(head, parts)
        self.text_read(parts[0])
        self.status_read(parts[1])
        self.returned_read(parts[2])

    def head_check(self, head):
        fields = fields_of(head)
        self.header = dict(fields)
        assert len(self.header) == len([f for f in fields if f[0] != "received"]) + (
            "received" in self.header), fields
        for name in ("date", "from", "to", "subject", "message-id", "mime-version"):
            assert self.header.get(name), f"no {name}"
        assert self.header["auto-submitted"] == "auto-replied"
        assert self.message.get_content_type() == "multipart/report"
        self.type = self.message.get_param("report-type")
        # That a header alone has no parts is one for some releases of Python 3.11.
        defects = [defect for defect in self.message.defects
                   if not isinstance(defect, email.errors.MultipartInvariantViolationDefect)]
        assert not defects, defects

    def parts_check(self, head, parts):
        """What is 8bit says so, on top as well; a header is ASCII but for an address (RFC 6532)."""
        eight = False
        for header, body in parts:
            encoding = dict(fields_of(header)).get("content-transfer-encoding", "7bit")
            assert encoding in ("7bit", "8bit") and header.isascii(), header
            assert encoding == "8bit" or body.isascii(), f"8bit in a part of 7bit: {header}"
            eight = eight or encoding == "8bit"
        assert self.header.get("content-transfer-encoding", "7bit") == ("8bit" if eight else "7bit")
        if self.type == "delivery-status":
            assert head.isascii()
            if not eight:  # the package's own view of all of it, which knows no RFC 6533
                email.message_from_bytes(self.octets, policy=STRICT)

    def text_read(self, part):
        kind = email.message_from_bytes(part[0], policy=email.policy.default)
        assert kind.get_content_type() == "text/plain"
        assert kind.get_content_charset() in ("us-ascii", "utf-8")
        self.text = part[1].decode(kind.get_content_charset())

    def status_read(self, part):
        kind = dict(fields_of(part[0]))["content-type"]
        assert kind == "message/" + self.type, kind
        if self.type == "delivery-status":
            assert part[1].isascii()
        groups = [fields_of(group.strip(b"\r\n") + b"\r\n")
                  for group in part[1].split(b"\r\n\r\n") if group.strip()]
        self.of_message = group_check(groups[0], 0)
        self.recipients = [group_check(group, 1) for group in groups[1:]]
        assert self.recipients, "it tells of nobody"

    def returned_read(self, part):
        kind = dict(fields_of(part[0]))["content-type"]
        whole = {"message/rfc822": True, "message/global": True, "text/rfc822-headers": False,
                 "message/global-headers": False}
        assert ("global" in kind) == ("global" in self.type), kind
        self.whole, self.returned = whole[kind], part[1]

    @property
    def recipient(self):
        """Of a report about one."""
        assert len(self.recipients) == 1, self.recipients
        return self.recipients[0]
