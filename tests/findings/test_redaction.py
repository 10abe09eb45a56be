"""What is to be shared: nothing is left that could be found, secrets are gone, and one value has one pseudonym."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapng_utils.errors import InputError
from pcapng_utils.findings.credentials import hide_header, hide_in_text, is_secret_name
from pcapng_utils.findings.redaction import Redactor, key_of
from tests.findings.making import EMAIL, FINDER, IDENTIFIERS, MAC, entry, found
from tests.findings.test_forms import CODINGS

KEY = b"\1" * 32
PSEUDONYM = re.compile(r"REDACTED-(\w+)-[0-9a-f]{10}")


def redacted(item: dict[str, Any], key: bytes = KEY) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(item))
    Redactor(IDENTIFIERS, key).entry(copy)
    return copy


def body_of(item: dict[str, Any]) -> str:
    return str(redacted(item)["request"]["postData"]["text"])


def test_one_value_has_one_pseudonym_in_every_form_and_place() -> None:
    lower = EMAIL.lower()
    forms = [
        EMAIL,
        lower,
        quote(EMAIL),
        hashlib.sha256(lower.encode()).hexdigest(),
        base64.b64encode(EMAIL.encode()).decode(),
        base64.b64encode(gzip.compress(EMAIL.encode())).decode(),
    ]
    item = redacted(entry(f"https://h/?e={EMAIL}", headers={"X-A": EMAIL}, body="\n".join(forms).encode()))
    lines = item["request"]["postData"]["text"].splitlines()
    assert len(set(lines)) == 1
    assert PSEUDONYM.fullmatch(lines[0])
    assert item["request"]["url"] == f"https://h/?e={lines[0]}"
    assert item["request"]["headers"][0]["value"] == lines[0]


def test_different_values_and_different_keys_have_different_pseudonyms() -> None:
    item = entry(body=f"{EMAIL} {MAC}".encode())
    first, second = body_of(item).split()
    assert first.startswith("REDACTED-email-")
    assert second.startswith("REDACTED-mac-")
    assert redacted(item, b"\2" * 32) != redacted(item)


def test_what_stands_around_stays() -> None:
    text = f'{{"a":1,"e":"{EMAIL}","z":"end"}}'
    assert re.fullmatch(r'\{"a":1,"e":"REDACTED-email-[0-9a-f]{10}","z":"end"\}', body_of(entry(body=text.encode())))


def test_several_identifiers_in_one_coding_are_both_named() -> None:
    blob = base64.b64encode(gzip.compress(f"{EMAIL} {MAC}".encode()))
    names = PSEUDONYM.findall(body_of(entry(body=b'{"p":"' + blob + b'"}')))
    assert sorted(names) == ["email", "mac"]


def test_copies_of_one_coding_are_all_replaced() -> None:
    blobs = [base64.b64encode(gzip.compress(f"{n} {EMAIL}".encode())) for n in range(20)]
    item = redacted(entry(body=b"&".join([*blobs, b"kept", *blobs])))
    assert found(item) == []
    assert "&kept&" in item["request"]["postData"]["text"]


def test_a_binary_body_stays_one() -> None:
    item = redacted(entry(body=b"\0\xff" + EMAIL.encode() + b"\xfe", answer=b"\0\xff" + EMAIL.encode()))
    content = item["request"]["_content"]
    assert re.fullmatch(rb"\0\xffREDACTED-email-[0-9a-f]{10}\xfe", base64.b64decode(content["text"]))
    assert found(item) == []


def test_the_digest_of_a_changed_body_goes_and_that_of_another_stays() -> None:
    item = entry(body=EMAIL.encode(), answer=b"nothing")
    item["request"]["postData"]["_sha256"] = item["response"]["content"]["_sha256"] = "0" * 64
    item = redacted(item)
    assert "_sha256" not in item["request"]["postData"]
    assert item["response"]["content"]["_sha256"] == "0" * 64


def test_neither_key_nor_ciphertext_stay() -> None:
    item = entry(body=EMAIL.encode())
    parameters = {"algorithm": "AES/CBC/PKCS5Padding", "key": "00112233445566778899aabbccddeeff", "iv": "00" * 16}
    item["request"]["_decryption"] = {"originalBase64Content": "c2VjcmV0", "primitiveParameters": parameters}
    decryption = redacted(item)["request"]["_decryption"]
    assert decryption["primitiveParameters"]["key"] != parameters["key"]
    assert decryption["primitiveParameters"]["algorithm"] == parameters["algorithm"]
    assert decryption["originalBase64Content"] != "c2VjcmV0"


def test_websocket_messages_and_events() -> None:
    binary = base64.b64encode(b"\xff" + EMAIL.encode()).decode()
    item = redacted(
        entry(
            _resourceType="websocket",
            _webSocketMessages=[
                {"type": "send", "opcode": 1, "data": EMAIL, "time": 1.0},
                {"type": "receive", "opcode": 2, "data": binary, "time": 1.0},
            ],
            _webSocketClose={"type": "send", "code": 1000, "reason": EMAIL, "time": 1.0},
            _eventStream=[{"event": "", "id": EMAIL, "data": EMAIL, "time": 1.0}],
        )
    )
    assert found(item) == []
    assert base64.b64decode(item["_webSocketMessages"][1]["data"]).startswith(b"\xffREDACTED-email-")


def test_ids_that_could_be_computed_again_are_pseudonyms_too() -> None:
    item = entry(_sha1Id="ab" * 20, _communityId="1:x")
    item["request"]["_attribution"] = {"shared": ["ab" * 20]}
    item = redacted(item)
    assert item["_sha1Id"] != "ab" * 20
    assert item["request"]["_attribution"]["shared"] == [item["_sha1Id"]]
    assert item["_communityId"] != "1:x"  # an address is among the identifiers


def test_a_body_that_is_not_at_hand_is_left_out_and_says_so() -> None:
    item = entry()
    item["response"]["content"] = {"size": 1 << 30, "text": "\0marker\0", "_sha256": "00"}
    Redactor(IDENTIFIERS, KEY).entry(item, {"\0marker\0": []})
    assert item["response"]["content"] == {
        "size": 1 << 30,
        "text": "",
        "_redacted": "left out: too large to be searched",
    }


def test_stacks_and_names_of_others_stay() -> None:
    item = entry()
    item["request"]["_stacktrace"] = {"stack": [{"class": "org.example.A", "line": 5}], "process": "org.example"}
    assert redacted(item)["request"]["_stacktrace"] == item["request"]["_stacktrace"]


@settings(max_examples=100, deadline=None)
@given(
    identifier=st.sampled_from(IDENTIFIERS),
    chain=st.lists(st.sampled_from(sorted(CODINGS)), max_size=3),
    around=st.text("ab1 {}:\"'&=,/\\%+\n", max_size=20),
    times=st.integers(1, 3),
)
def test_nothing_is_left_whatever_the_coding(identifier: Any, chain: list[str], around: str, times: int) -> None:
    data = identifier.value.encode()
    for name in chain:
        data = CODINGS[name](data)
    item = entry(
        f"https://h/{quote(data)}", body=(b" " + data + around.encode()) * times, answer=around.encode() + data
    )
    assert found(redacted(item)) == []


class Hidden:
    """A pseudonym that shows what it stands for."""

    def __call__(self, secret: str) -> str:
        return f"<{len(secret)}>"


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("Cookie", "a=12345; b=1; c", "a=<5>; b=<1>;<1>"),
        ("Set-Cookie", "sid=12345; Path=/; HttpOnly", "sid=<5>; Path=/; HttpOnly"),
        ("Authorization", "Bearer abcdef", "Bearer <6>"),
        ("authorization", "abcdef", "<6>"),
        ("Proxy-Authorization", "Basic YTpi", "Basic <4>"),
        ("X-Api-Key", "abcdef", "<6>"),
        ("x-goog-api-key", "abcdef", "<6>"),
        ("X-Auth-Token", "abcdef", "<6>"),
        ("Location", "https://h/?access_token=abcdef&x=1", "https://h/?access_token=<6>&x=1"),
        ("X-Other", "abcdef", "abcdef"),
        ("Content-Length", "5", "5"),
    ],
)
def test_headers_that_let_somebody_in(name: str, value: str, hidden: str) -> None:
    assert hide_header(name, value, Hidden()) == hidden


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("https://jane:pass@h/x", "https://<9>@h/x"),
        ("https://h/?token=a%20b&x=1", "https://h/?token=<3>&x=1"),
        ("user=jane&password=hunter2", "user=jane&password=<7>"),
        ('{"refresh_token": "abc", "n": 1}', '{"refresh_token": "<3>", "n": 1}'),
        ('{"p": "{\\"apiKey\\":\\"abc\\"}"}', '{"p": "{\\"apiKey\\":\\"<3>\\"}"}'),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_ end", "jwt <42> end"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_texts_that_let_somebody_in(text: str, hidden: str) -> None:
    assert hide_in_text(text, Hidden()) == hidden


@pytest.mark.parametrize(
    "name", ["token", "accessToken", "X-CSRF-Token", "client_secret", "session_id", "apikey", "pwd"]
)
def test_names_of_credentials(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["id", "name", "lang", "content-type", "user", "x" * 10_000])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


def test_cookies_and_parameters_agree_with_what_they_were_parsed_from() -> None:
    item = entry(
        "https://h/?token=a%20b", headers={"Cookie": "sid=xyz"}, answer_headers={"Set-Cookie": "sid=xyz; Path=/"}
    )
    item["request"]["queryString"] = [{"name": "token", "value": "a b"}]
    item["request"]["cookies"] = [{"name": "sid", "value": "xyz"}]
    item["response"]["cookies"] = [{"name": "sid", "value": "xyz", "path": "/"}]
    item = redacted(item)
    request, response = item["request"], item["response"]
    assert request["url"] == f"https://h/?token={request['queryString'][0]['value']}"
    assert request["headers"][0]["value"] == f"sid={request['cookies'][0]['value']}"
    assert response["headers"][0]["value"] == f"sid={response['cookies'][0]['value']}; Path=/"
    assert request["cookies"][0]["value"] == response["cookies"][0]["value"] != "xyz"


@settings(max_examples=100, deadline=1000)
@given(st.text('"\\:{}= &tokenpasswd;eyJ.@/', max_size=2000))
def test_hiding_takes_no_longer_than_the_text_is_long(text: str) -> None:
    hide_in_text(text, Hidden())


def test_a_key_is_its_file_s_own(tmp_path: Path) -> None:
    for name, data in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(data)
    assert key_of(tmp_path / "a") == key_of(tmp_path / "b") != key_of(tmp_path / "c")
    assert key_of(tmp_path / "a") != hashlib.sha256(b"1").digest()
    with pytest.raises(InputError, match="missing"):
        key_of(tmp_path / "missing")


def test_the_finder_finds_what_is_redacted_here() -> None:
    """Else the tests above would pass with a finder that finds nothing."""
    assert FINDER.find(entry(body=EMAIL.encode()))
