"""Whose code: the responsible frame decides, then the host, then what is deeper in the stack."""

from __future__ import annotations

from typing import Any

import pytest

from pcapng_utils.labels.labeller import Labeller


def stack(*classes: str | None) -> list[dict[str, Any]]:
    return [{"class": name, "method": "m"} for name in classes]


SOCKET = ("libcore.io.Linux", "com.android.org.conscrypt.NativeCrypto", "okhttp3.internal.http.CallServerInterceptor")


def test_the_responsible_frame_decides() -> None:
    label = Labeller().label(stack(*SOCKET, "com.adjust.sdk.Sender", "org.example.Main"), "api.mixpanel.com")
    assert label == {
        "name": "Adjust",
        "company": "Adjust (AppLovin)",
        "categories": ["attribution", "analytics"],
        "source": "code",
    }


@pytest.mark.parametrize("frames", [None, [], stack(*SOCKET), stack(None, ""), stack("org.example.Main")])
def test_the_host_decides_where_the_code_is_not_known(frames: list[dict[str, Any]] | None) -> None:
    label = Labeller().label(frames, "api.mixpanel.com")
    assert label is not None
    assert (label["name"], label["source"]) == ("Mixpanel", "host")


def test_others_in_the_stack_are_named_too() -> None:
    frames = stack(*SOCKET, "org.example.Interceptor", "com.adjust.sdk.A", "io.sentry.B", "com.adjust.sdk.C")
    label = Labeller().label(frames, "api.mixpanel.com")
    assert label is not None
    assert (label["name"], label["source"], label["also"]) == ("Mixpanel", "host", ["Adjust", "Sentry"])


def test_a_deeper_frame_is_the_label_where_nothing_else_is_known_and_says_so() -> None:
    label = Labeller().label(stack(*SOCKET, "org.example.Interceptor", "com.adjust.sdk.A"), "example.org")
    assert label is not None
    assert (label["name"], label["source"], label["deeper"]) == ("Adjust", "code", True)


def test_more_frames_can_be_the_system_s() -> None:
    frames = stack("org.example.net.Wrapper", "com.adjust.sdk.A")
    label = Labeller(system_frames=("org.example.net.",)).label(frames, None)
    assert label is not None
    assert label["name"] == "Adjust"
    assert "deeper" not in label


def test_nobody_is_known() -> None:
    assert Labeller().label(stack("org.example.Main"), "example.org") is None
    assert Labeller().label(None, None) is None
