"""Which values are looked for, and which are not worth it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pcapng_utils.errors import InputError
from pcapng_utils.findings.identifiers import Identifier, read_identifiers


def of_device(folder: Path, properties: Any) -> list[tuple[str, str]]:
    path = folder / "device.json"
    path.write_text(json.dumps(properties))
    return [(identifier.name, identifier.value) for identifier in read_identifiers(path, None, None)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("imei", "356938035643809"),
        ("android_id", "f00dcafe12345678"),
        ("ro.serialno", "1A2B3C4D5E"),
        ("ro.boot.serialno", "1A2B3C4D5E"),
        ("wifi_mac", "a4:5e:60:c1:02:9f"),
        ("wifiMacAddress", "a4:5e:60:c1:02:9f"),
        ("dhcp.wlan0.ipaddress", "192.168.1.20"),
        ("ip", "2001:db8::1"),
        ("phoneNumber", "+33612345678"),
        ("google_account", "jane.roe@example.org"),
        ("net.hostname", "android-1234abcd"),
        ("gsm.sim.imsi", "208011234567890"),
        ("bluetoothName", "Jane's 2nd phone"),
    ],
)
def test_what_one_phone_alone_has(tmp_path: Path, name: str, value: str) -> None:
    assert (name, value) in of_device(tmp_path, {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ro.product.model", "Pixel 6"),
        ("ro.build.version.sdk", "33"),
        ("ro.build.fingerprint", "google/oriole/oriole:13/TQ3A.230901.001/10750268:user/release-keys"),
        ("ro.build.description", "oriole-user 13"),
        ("imei", "unknown"),
        ("imei", "000000000000000"),
        ("wifi_mac", "02:00:00:00:00:00"),
        ("ip", "127.0.0.1"),
        ("ip", "0.0.0.0"),  # noqa: S104 - an address that is nobody's
        ("ro.serialconsole", "false"),
        ("ro.serialno", ""),
        ("ro.imei.path", "/efs/imei/1"),
        ("android_id", "9774d56d682e549c"),
        ("imei", True),
        ("imei", None),
        ("description", "pad of 2022 mail"),
    ],
)
def test_what_singles_out_nobody(tmp_path: Path, name: str, value: Any) -> None:
    assert of_device(tmp_path, {name: value}) == []


def test_several_values_of_one_property(tmp_path: Path) -> None:
    assert of_device(tmp_path, {"ro.ril.imei": "356938035643809,356938035643817"}) == [
        ("ro.ril.imei", "356938035643809"),
        ("ro.ril.imei", "356938035643817"),
    ]


def test_objects_inside(tmp_path: Path) -> None:
    assert of_device(tmp_path, {"sim": [{"imsi": 208011234567890}]}) == [("sim.imsi", "208011234567890")]


def test_advertising_ids_are_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "ad_ids.txt"
    path.write_bytes(b"\xef\xbb\xbf8a6f2c1e-4b7d-4c0a-9f53-1d2e3c4b5a69\r\n\n00000000-0000-0000-0000-000000000000\n")
    assert read_identifiers(None, path, None) == [Identifier("advertising_id", "8a6f2c1e-4b7d-4c0a-9f53-1d2e3c4b5a69")]


def test_the_analyst_s_name_for_a_value_goes_first(tmp_path: Path) -> None:
    named, device = tmp_path / "names", tmp_path / "device.json"
    named.write_text("# who\n\nJane's phone = 356938035643809\nmail=a=b@example.org\n")
    device.write_text('{"imei": "356938035643809", "android_id": "f00dcafe12345678"}')
    assert read_identifiers(device, None, named) == [
        Identifier("Jane's phone", "356938035643809"),
        Identifier("mail", "a=b@example.org"),
        Identifier("android_id", "f00dcafe12345678"),
    ]


@pytest.mark.parametrize("line", ["nothing", "=value", "name=", "pin=123"])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "names"
    path.write_text(f"email=jane@example.org\n{line}\n")
    with pytest.raises(InputError, match=r"names, line 2"):
        read_identifiers(None, None, path)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "device.json").write_text("{")
    with pytest.raises(InputError, match=r"device\.json"):
        read_identifiers(tmp_path / "device.json", None, None)
    with pytest.raises(InputError, match=r"missing"):
        read_identifiers(None, None, tmp_path / "missing")


@pytest.mark.parametrize("text", ["", "  ", "[]", "null", "3", '{"imei": ' + "[" * 500 + "]" * 500 + "}"])
def test_a_device_that_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "device.json").write_text(text)
    assert read_identifiers(tmp_path / "device.json", None, None) == []
