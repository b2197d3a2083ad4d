"""What a mail carries, and what it refuses to."""

from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.campaigns import InvalidCampaign, Text, campaign_of
from services.notify.domain.messages import Envelope, UnsafeData, mail
from services.notify.domain.templates import Rendered, TemplateFailed, check, data_of, render, sample
from tests.notify.factories import AT, BECAUSE, campaign, customer

ENVELOPE = Envelope("no-reply@shop.example", "Shop", "ana@example.com", "d-1@shop.example", AT, "pt-BR")
RENDERED = Rendered("Olá, Ana", "Oi", "<p>Oi</p>")

HOSTILE_SUBJECTS = [
    "a\r\nBcc: evil@x",
    "a\nBcc: evil@x",
    "a\rBcc: evil@x",
    "=?utf-8?q?a=0D=0ABcc:_evil@x?=",
    "x =?utf-8?b?DQpCY2M6IGV2aWxAeA==?=",
    "a\x00b",
    "a\u2028b",
    "a\x85b",
    "a" * 301,
]
HOSTILE_ADDRESSES = [
    "ana@example.com, evil@x.example",
    "ana@example.com\r\nBcc: evil@x",
    "Ana <ana@example.com>",
    "=?utf-8?q?evil?=@example.com",
    '"a\\"b"@example.com',
    "ana@",
    "@example.com",
    "ana@exa mple.com",
    "ana@-example.com",
    "ana@example.com\n",
    "a@b@example.com",
    "",
]


def test_a_mail_has_one_recipient_and_both_parts() -> None:
    parsed = message_from_bytes(mail(ENVELOPE, RENDERED), policy=default)
    assert parsed["To"] == "ana@example.com"
    assert parsed["Subject"] == "Olá, Ana"
    assert parsed["Message-ID"] == "<d-1@shop.example>"
    assert parsed["Bcc"] is None
    text, html = parsed.iter_parts()
    assert (text.get_content().strip(), html.get_content().strip()) == ("Oi", "<p>Oi</p>")


def test_the_same_mail_is_the_same_bytes() -> None:
    assert mail(ENVELOPE, RENDERED) == mail(ENVELOPE, RENDERED)


@pytest.mark.parametrize("subject", HOSTILE_SUBJECTS)
def test_a_hostile_subject_is_refused(subject: str) -> None:
    with pytest.raises(UnsafeData):
        mail(ENVELOPE, RENDERED._replace(subject=subject))


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
def test_a_hostile_address_is_refused(address: str) -> None:
    with pytest.raises(UnsafeData):
        mail(ENVELOPE._replace(recipient=address), RENDERED)


@given(st.text(max_size=120))
def test_no_subject_adds_or_changes_a_header(subject: str) -> None:
    try:
        content = mail(ENVELOPE, RENDERED._replace(subject=subject))
    except UnsafeData:
        return
    parsed = message_from_bytes(content, policy=default)
    assert sorted(parsed.keys()) == sorted(message_from_bytes(mail(ENVELOPE, RENDERED), policy=default).keys())
    assert parsed["To"] == "ana@example.com"


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_the_shipped_campaign_renders_strictly_and_without_data(language: str) -> None:
    text = campaign().messages[language]
    full = render(text, sample(), strict=True)
    assert "Ana" in full.subject
    assert full.html is not None
    bare = render(text, data_of(customer(traits={}), [], language), strict=False)
    assert bare.subject.startswith({"pt-BR": "Olá,", "en": "Hello,"}[language])


def test_values_are_escaped_in_html_only() -> None:
    template = Text(subject="s", text="{{ customer.first_name }}", html="{{ customer.first_name }}")
    rendered = render(template, data_of(customer(traits={"firstName": "<b>"}), [BECAUSE], "en"), strict=True)
    assert (rendered.text, rendered.html) == ("<b>", "&lt;b&gt;")


def test_reasons_are_told_in_the_language() -> None:
    template = Text(subject="s", text="{{ because | first }}")
    assert render(template, data_of(customer(), [BECAUSE], "pt-BR"), strict=True).text == "sem uso há 24 dias"


@pytest.mark.parametrize(
    "source",
    [
        "{{ nobody }}",
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{% assign a = 'aaaaaaaaaaaaaaaa' %}" + "{% assign a = a | append: a %}" * 40,
        "{{ customer.first_name | safe }}",
        "{{ 'a' | replace: 'a', 'b' }}",
        "{{ (1..30000000) | join: ',' }}",
        "{% include 'x' %}",
        "{% if %}",
    ],
)
def test_a_template_that_asks_for_too_much_or_for_what_is_not_there_fails(source: str) -> None:
    with pytest.raises(TemplateFailed):
        render(Text(subject="s", text=source), sample(), strict=True)


def test_a_template_that_cannot_be_read_is_refused_when_saved() -> None:
    with pytest.raises(TemplateFailed):
        check(Text(subject="{{ a", text="{% if %}"))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b'{"messages": {}, "language": "en"}',
        b'{"messages": {"en": {"subject": "a", "text": "b"}}, "language": "de"}',
    ],
)
def test_what_is_no_campaign_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidCampaign):
        campaign_of(document)
