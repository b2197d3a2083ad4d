"""Where outgoing HTTP may go: nowhere that is not public, in whatever notation."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.senders.addresses import Address, Refused, allowed, public, target_of
from services.notify.senders.outgoing import Outgoing

NOBODY = allowed("")

CLOSED = """0.0.0.0 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1
240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::127.0.0.1
64:ff9b::a00:1 64:ff9b::169.254.169.254 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1
fc00::1 fd12::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 3fff::1 5f00::1""".split()  # noqa: SIM905
OPEN = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "64:ff9b::8.8.8.8",
]

HOSTILE = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "https://user:secret@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0/",
    "https://127.0.0.1./",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/",
    "https://a.localhost/",
    "https://LOCALHOST./",
    "https://example.com\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https://exa mple.com/",
    " https://example.com/",
    "https://example.com/\n",
    "https://example.com/\x00",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https:///path",
    "https://",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "//example.com/",
    "example.com",
    "",
]


@pytest.mark.parametrize("text", CLOSED)
def test_an_address_that_is_not_public_is_closed(text: str) -> None:
    assert not public(ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_a_public_address_is_open(text: str) -> None:
    assert public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_never_more_open_than_itself(address: Address) -> None:
    value = int(address)
    disguises = [value, 0xFFFF00000000 + value, (0x64FF9B << 96) + value, (0x2002 << 112) + (value << 80)]
    for disguise in disguises:
        assert not public(ip_address(disguise.to_bytes(16, "big"))) or public(address)


@given(st.ip_addresses())
def test_what_python_knows_to_be_private_is_closed(address: Address) -> None:
    if (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
    ):
        nat64 = address in ip_network("64:ff9b::/96")
        assert nat64 or not public(address)


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        target_of(url, NOBODY)


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://hooks.example.com:8443/a?b=c#d", "https://[2606:4700::1]/"]
)
def test_an_ordinary_url_is_not(url: str) -> None:
    assert target_of(url, NOBODY).scheme == "https"


def test_what_the_operator_names_may_be_reached_with_plain_http_and_nothing_beside_it() -> None:
    allow = allowed("127.0.0.1:9000, hooks.internal, 10.1.0.0/16, [::1]:8080")
    for url in (
        "http://127.0.0.1:9000/x",
        "http://hooks.internal/",
        "https://hooks.internal:8443/",
        "http://10.1.2.3/",
        "http://[::1]:8080/",
    ):
        target_of(url, allow)
    for url in (
        "http://127.0.0.1:9001/",
        "https://127.0.0.1/",
        "http://10.2.0.1/",
        "http://[::1]/",
        "https://10.2.0.1/",
    ):
        with pytest.raises(Refused):
            target_of(url, allow)


@pytest.mark.parametrize("setting", ["http://x", "a b/", "user@host", "host:port"])
def test_a_setting_that_cannot_be_read_is_refused(setting: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message of the library that reads it
        allowed(setting)


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], ["100.64.0.1"]])
async def test_a_name_is_refused_if_any_of_its_addresses_is_closed(answers: Sequence[str]) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [ip_address(each) for each in answers]

    outgoing = Outgoing(NOBODY, resolve)
    answer = await outgoing.post("https://hooks.example.com/", b"{}", {})
    await outgoing.stop()
    assert answer.status is None
    assert (answer.error or "").startswith("refused")
