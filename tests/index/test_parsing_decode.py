import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing.decode import MAX_CONTROL_SHARE, decode_html, decode_text

TEXT = "“Señor Müller’s café” — 20 % of the naïve façade cost 5 €, he said on Monday."
RUSSIAN = "Власти Белгородской области сообщили в понедельник о введении режима. " * 5


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=300))
def test_utf_8_is_read_as_it_is(text):
    expected = text.removeprefix("\ufeff")
    assert decode_text(text.encode()) == decode_html(text.encode()) == expected


def outcome(read):
    try:
        return read()
    except ParseError:
        return None


@given(
    st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=200),
    st.lists(st.integers(0, 200), min_size=1, max_size=4),
)
@example("abc", [2])
@example("hello world", [11])  # regressions: taken for UTF-16, as their length is even
def test_a_few_nul_characters_do_not_make_utf_16(text, places):
    for place in places:
        text = f"{text[:place]}\0{text[place:]}"
    text = text.removeprefix("\ufeff")
    few = text.count("\0") <= MAX_CONTROL_SHARE * len(text)  # more is no text in any encoding
    assert outcome(lambda: decode_text(text.encode())) == (text if few else None)


LATIN = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=("Cc",))
CYRILLIC = st.sampled_from("абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИКЛМНОПРСТ" + " .,-" * 2)


@given(
    st.one_of(st.text(alphabet, min_size=20, max_size=60) for alphabet in (LATIN, CYRILLIC)),
    st.sampled_from(["utf-16-le", "utf-16-be"]),
)
def test_short_utf_16_without_a_mark_is_recognised(text, encoding):
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(encoding):
    assert decode_text(TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_without_a_mark(encoding):
    assert decode_text(TEXT.encode(encoding)) == TEXT


def test_an_encoding_of_another_script_is_guessed():
    assert decode_text(RUSSIAN.encode("cp1251")) == RUSSIAN


def test_one_bad_byte_spoils_one_character():
    data = (TEXT * 3).encode()
    assert decode_text(data[:-1] + b"\xe2") == (TEXT * 3)[:-1] + "\ufffd"


def test_a_declared_charset_is_used():
    page = f'<html><head><meta charset="windows-1251"></head><body>{RUSSIAN}'
    assert decode_html(page.encode("cp1251")) == page


def test_utf_8_is_used_although_another_charset_is_declared():
    page = f'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">{TEXT}'
    assert decode_html(page.encode()) == page


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "zip", "idna", "nonsense", "utf-16"]
)
def test_a_page_cannot_choose_any_codec(charset):
    page = f"<meta charset={charset}>+ADw-script+AD4- \\x41"
    assert decode_html(page.encode()) == page


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10,
        b"\x7fELF" + b"\x00" * 500,
        b"PK\x03\x04\x14\x00\x08\x00" + bytes(range(256)),
        b"some text" + b"\x00" * 50,
    ],
)
def test_binary_data_are_refused(data):
    with pytest.raises(ParseError, match="not text"):
        decode_text(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_text_or_refused(data):
    for decode in (decode_text, decode_html):
        try:
            assert isinstance(decode(data), str)
        except ParseError as error:
            assert "binary" in str(error)  # noqa: PT017 - the type is the point


CHINESE = "渡轮在停航十一个月后恢复运营。公司表示，第一班船于周四黎明离开港口。" * 3
JAPANESE = "フェリーは11カ月ぶりに運航を再開した。最初の便は木曜日の夜明けに港を出たと発表。" * 3
FRENCH = "Le ferry a repris la mer à l’aube après onze mois d’arrêt, a déclaré la société. " * 3


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((FRENCH, encoding) for encoding in ("cp1252", "utf-16", "utf-16-le", "utf-16-be")),
        *((RUSSIAN, encoding) for encoding in ("koi8-r", "cp1251", "utf-16-le", "utf-16-be")),
        *((CHINESE, encoding) for encoding in ("gb18030", "utf-16", "utf-16-le", "utf-16-be")),
        *((JAPANESE, encoding) for encoding in ("shift_jis", "euc-jp", "utf-16-le", "utf-32")),
    ],
)
def test_encodings_are_recognised(text, encoding):
    assert decode_text(text.encode(encoding)) == text


def test_what_an_envelope_declares_comes_before_a_guess():
    assert decode_text("Fähre".encode("cp850"), "cp850") == "Fähre"
    assert decode_text("Fähre".encode(), "cp850") == "Fähre"  # valid UTF-8 is UTF-8
    assert (
        decode_text(b"a +AGE- caf\xe9", "utf-7") == "a +AGE- café"
    )  # not one that text is written in
