# SPDX-License-Identifier: MIT
"""Reports about messages that did not get through, as programs read them."""
import email
import email.policy


def bounce_report(sink, sender):
    """The bounce that came back, its parts checked: (text, fields of the one recipient)."""
    got = sink.find(lambda m: m.sender == "" and m.recipients == [sender])
    report = email.message_from_bytes(got.content, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report", report.get_content_type()
    assert report.get_param("report-type") == "delivery-status", report["Content-Type"]
    assert not report.defects, report.defects
    text, status, returned = report.get_payload()
    assert text.get_content_type() == "text/plain" and not text.defects, text.defects
    assert status.get_content_type() == "message/delivery-status", status.get_content_type()
    of_message, of_recipient = status.get_payload()
    assert of_message["Reporting-MTA"] == "dns; mx.test", of_message.as_string()
    assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers")
    original = (returned.get_payload(0) if returned.get_content_type() == "message/rfc822"
                else email.message_from_string(returned.get_content()))
    assert original["Subject"] == "refused", original.as_string()
    return text.get_content(), of_recipient
