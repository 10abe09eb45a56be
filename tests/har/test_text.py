"""What counts as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapng_utils.har.text import body_text, header_text, text_pieces


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        (b"plain\r\n\ttext", "", "plain\r\n\ttext"),
        ("ü\u00a0\ufeff".encode(), "", "ü\u00a0\ufeff"),
        (b"\xfc", "text/plain; charset=ISO-8859-1", "ü"),
        (b"\xfc", 'text/plain; charset="latin-1"; x=y', "ü"),
        (b"\xfc", "text/plain", None),
        ("ü".encode("utf-16"), "text/plain; charset=utf-16", "ü"),
        ("ü".encode("utf-16-be"), "text/plain; charset=utf-16be", "ü"),
        (b"\xfe\xff\x00\xfc", "text/plain; charset=utf-16", "ü"),
        (b"\xfc\x00", "text/plain; charset=utf-16", "ü"),
        (b"nul\x00", "text/plain", None),
        (b"escape \x1b[31m", "text/plain", None),
        (b"\x7f", "", None),
        ("\u0085".encode(), "", None),
        (b"aGk=", "text/plain; charset=base64", "aGk="),
        (b"text", "text/plain; charset=no-such-charset", "text"),
        (b"\\u00fc", "text/plain; charset=unicode_escape", "\\u00fc"),
        (b"", "", ""),
        # names of charsets that stand for larger ones
        (b"it\x92s \x85", "text/html; charset=ISO-8859-1", "it\u2019s \u2026"),
        (b"\x81", "text/html; charset=ISO-8859-1", None),
        ("朱镕基".encode("gbk"), "text/html; charset=gb2312", "朱镕基"),
        ("€".encode("gb18030"), "text/html; charset=GBK", "€"),
        ("똠".encode("cp949"), "text/html; charset=euc-kr", "똠"),
        ("①".encode("cp932"), "text/html; charset=Shift_JIS", "①"),
        ("啫".encode("big5hkscs"), "text/html; charset=Big5", "啫"),
        ("…ก".encode("cp874"), "text/html; charset=tis-620", "…ก"),
        ("…ğ".encode("cp1254"), "text/html; charset=iso-8859-9", "…ğ"),
    ],
)
def test_text_decodes_and_has_no_control_characters(data: bytes, content_type: str, text: str | None) -> None:
    assert body_text(data, content_type) == text


def test_headers_that_are_not_utf8_are_latin1() -> None:
    assert (header_text("ü".encode()), header_text(b"\xfc")) == ("ü", "ü")


CHARSETS = st.sampled_from(
    ["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-32", "gb18030", "iso-2022-jp", "shift_jis"]
).map("text/plain; charset={}".format)


@given(st.binary(max_size=200), CHARSETS, st.data())
def test_reading_in_pieces_is_reading_at_once(data: bytes, content_type: str, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    whole = body_text(data, content_type)
    try:
        assert "".join(text_pieces(pieces, content_type)) == whole
    except ValueError:
        assert whole is None
