"""What each view shows, and what a click or a key does in it."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest

from tests.report.conftest import Open

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def rows(page: Page) -> Locator:
    return page.locator(".tbody [role=row]")


def choose(page: Page, facet: str, option: str) -> None:
    """Choose the option of a filter that begins so."""
    field = page.locator("label.facet", has_text=re.compile(f"^{facet}")).locator("select")
    label = field.locator("option", has_text=re.compile(f"^{re.escape(option)} ")).first.inner_text()
    field.select_option(label=label)


def open_by_url(opened: Open, part: str, **window: object) -> Page:
    """The page with the first exchange open whose URL has this part."""
    page = opened("everything", f"exchanges?scope=url&q={part}", **window)
    expect(page.locator(".count")).not_to_have_text("71 exchanges")
    rows(page).first.click()
    page.locator(".detail .panel").wait_for()
    return page


def copied(page: Page, button: str) -> str:
    """What a button puts into the clipboard."""
    page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text } }")
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    return str(page.evaluate("window.copied"))


class TestOverview:
    def test_it_tells_what_the_report_is_made_of(self, opened: Open) -> None:
        page = opened()
        expect(page.get_by_role("heading", level=1)).to_have_text("weather-app")
        made_of = page.get_by_role("region", name="What this was made of")
        for text in ("traffic.pcap", "1,587,147", "Pixel 6", "estimated, 188 anchors within 4.3 ms", "0.180 s"):
            expect(made_of).to_contain_text(text)

    def test_an_empty_capture_has_no_dates(self, opened: Open) -> None:
        page = opened("empty")
        expect(page.locator(".lead")).to_contain_text("No traffic")
        expect(page.locator("main")).not_to_contain_text("1970")
        expect(opened("empty", "exchanges").locator("main")).to_contain_text("No exchange was found.")
        expect(opened("empty", "connections").locator("main")).to_contain_text("No connection is listed.")

    def test_numbers_lead_to_what_they_count(self, opened: Open) -> None:
        page = opened()
        page.get_by_role("list", name="In numbers").get_by_role("link", name="exchanges with identifiers").click()
        expect(page.locator(".count")).to_have_text("36 of 71 exchanges")

    def test_what_a_cipher_log_opened_is_counted_where_there_is_one(self, opened: Open) -> None:
        for name, tiles in (("everything", 1), ("long", 0)):
            numbers = opened(name).get_by_role("list", name="In numbers")
            expect(numbers.get_by_text("exchanges", exact=True)).to_be_visible()
            expect(numbers.get_by_text("bodies decrypted")).to_have_count(tiles)

    def test_how_many_attributions_are_unsure_leads_to_them(self, opened: Open) -> None:
        page = opened()
        tile = page.get_by_role("list", name="In numbers").get_by_role("link", name="of them unsure")
        number = (tile.locator(".value").text_content() or "").strip()
        tile.click()
        expect(page.locator(".count")).to_have_text(f"{number} of 71 exchanges")
        page.locator(".tbody [role=row]").first.click()
        expect(page.locator(".detail-head .confidence")).to_have_text("0.71")

    def test_the_diagram_leads_to_the_exchanges_of_a_piece_of_code(self, opened: Open) -> None:
        page = opened()
        page.get_by_role("link", name="Exchanges of Trackly", exact=True).click()
        expect(page.locator(".count")).to_have_text("25 of 71 exchanges")

    def test_bands_are_as_wide_as_exchanges_or_bytes(self, opened: Open) -> None:
        page = opened()
        widths = "bands => bands.map(band => Math.round(band.getAttribute('stroke-width')))"
        by_exchanges = page.locator(".band").evaluate_all(widths)
        page.get_by_role("button", name="Bytes", exact=True).click()
        assert sorted(page.locator(".band").evaluate_all(widths)) != sorted(by_exchanges)

    def test_the_right_side_is_companies_or_hosts(self, opened: Open) -> None:
        page = opened()
        expect(page.get_by_role("link", name="Exchanges of AdNova Media")).to_be_visible()
        page.get_by_role("button", name="Hosts").click()
        expect(page.get_by_role("link", name="Exchanges of cdn.adnova.example")).to_be_visible()

    def test_the_time_line_is_zoomed_by_buttons_and_keys_and_leads_to_what_is_in_sight(self, opened: Open) -> None:
        page = opened()
        plot = page.get_by_role("group", name="Exchanges over time")
        when = page.get_by_role("region", name="When")
        expect(when).to_contain_text("71 exchanges")
        page.get_by_role("button", name="Zoom in").click()
        expect(when).to_contain_text("in sight")
        plot.focus()
        page.keyboard.press("0")
        expect(page.get_by_role("button", name="Zoom out")).to_be_disabled()
        for key in ("+", "+", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
            page.keyboard.press(key)
        link = when.get_by_role("link")
        number = link.inner_text().split()[0]
        link.click()
        expect(page.locator(".count")).to_have_text(f"{number} of 71 exchanges")

    def test_dragging_over_the_time_line_looks_closer(self, opened: Open) -> None:
        page = opened()
        timeline = page.locator(".timeline svg")
        timeline.scroll_into_view_if_needed()
        box = timeline.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 300, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 500, box["y"] + 40, steps=4)
        page.mouse.up()
        expect(page.get_by_role("region", name="When")).to_contain_text("in sight")

    def test_identifiers_are_listed_with_who_sent_them_and_where_to(self, opened: Open) -> None:
        page = opened()
        row = page.get_by_role("region", name="Identifiers found").get_by_role("row", name="android_id")
        hosts = "bid.adnova.example, in.trackly.example"
        for text in ("plain in decrypted body 24", "md5 in body 12", "Trackly24", "AdNova12", hosts, "36"):
            expect(row).to_contain_text(text)

    def test_connections_that_were_not_read_are_listed_with_the_reason(self, opened: Open) -> None:
        page = opened()
        table = page.get_by_role("region", name="Connections not decrypted")
        row = table.get_by_role("row", name="mtalk.push.example")
        expect(row).to_contain_text("no secret for this client random")
        row.get_by_role("link").click()
        expect(page.locator(".count")).to_have_text("2 of 9 connections")

    def test_the_numbers_say_what_they_do_not_cover(self, opened: Open) -> None:
        notice = opened().locator(".tiles + .notice")
        expect(notice).to_contain_text("4 of 9 connections could not be read, or only in part")
        expect(notice).to_contain_text("The capture was cut short in the middle of a packet")


class TestExchanges:
    @pytest.mark.parametrize(
        ("facet", "option", "number"),
        [
            ("Code", "AdNova", 15),
            ("Recipient", "AdNova Media", 19),
            ("Host", "api.weather.example", 25),
            ("Method", "POST", 37),
            ("Status", "4xx", 2),
            ("Type", "image/png", 4),
            ("Protocol", "HTTP/1.1", 16),
            ("Decrypted", "request", 24),
            ("Identifier", "advertising_id", 24),
            ("Confidence", "none", 4),
        ],
    )
    def test_filters_leave_what_was_asked_for(self, opened: Open, facet: str, option: str, number: int) -> None:
        page = opened("everything", "exchanges")
        choose(page, facet, option)
        expect(page.locator(".count")).to_have_text(f"{number} of 71 exchanges")
        page.get_by_role("button", name="Show all").click()
        expect(page.locator(".count")).to_have_text("71 exchanges")

    @pytest.mark.parametrize(
        ("term", "scope", "number"),
        [
            ("creative", "URL", 4),
            ("okhttp/4.12", "Headers", 71),
            ("8A6F2C1E-4b7d", "Bodies", 24),
            ("session-7", "Bodies", 1),
            ("subscribe", "Everywhere", 1),
            ("session-7", "URL", 0),
        ],
    )
    def test_the_search_looks_where_it_is_told_to(self, opened: Open, term: str, scope: str, number: int) -> None:
        page = opened("everything", "exchanges")
        page.get_by_label("Where to search").select_option(label=scope)
        page.get_by_role("grid", name="Exchanges").focus()
        page.keyboard.press("/")
        page.keyboard.type(term)
        shown = "71 exchanges" if number == 71 else f"{number} of 71 exchanges"
        expect(page.locator(".count")).to_have_text(shown)

    def test_a_click_on_a_head_sorts_and_another_turns_the_order(self, opened: Open) -> None:
        page = opened("everything", "exchanges")
        head = page.get_by_role("columnheader", name="Duration")
        durations = []
        for order in ("ascending", "descending"):
            head.get_by_role("button").click()
            expect(head).to_have_attribute("aria-sort", order)
            durations.append(float(rows(page).first.locator(".td").nth(9).inner_text().split()[0]))
        assert durations[0] < durations[1]

    def test_the_table_is_used_by_keyboard_alone(self, opened: Open) -> None:
        page = opened("everything", "exchanges")
        grid = page.get_by_role("grid", name="Exchanges")
        grid.focus()
        for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
            page.keyboard.press(key)
        active = grid.get_attribute("aria-activedescendant")
        assert page.locator(f"[id='{active}']").get_attribute("aria-rowindex") == "3"
        page.keyboard.press("Enter")
        expect(page.locator(".detail")).to_contain_text("Exchange 2")
        page.keyboard.press("Escape")
        expect(page.locator(".detail")).to_have_count(0)
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        expect(page.locator(".detail")).to_contain_text("Exchange 71")
        page.get_by_role("button", name="Previous exchange").click()
        expect(page.locator(".detail")).to_contain_text("Exchange 70")
        expect(page.get_by_role("row", selected=True)).to_have_count(1)

    @pytest.mark.parametrize("key", ["Enter", "ArrowDown"])
    def test_keys_lead_from_the_search_through_the_table_into_the_parts_and_back(self, opened: Open, key: str) -> None:
        page = opened("everything", "exchanges")
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("creative")
        page.keyboard.press(key)
        grid = page.get_by_role("grid", name="Exchanges")
        expect(grid).to_be_focused()
        expect(page.locator(".count")).to_contain_text("of 71 exchanges")
        page.keyboard.press("Enter")
        expect(page.get_by_role("tab", selected=True)).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Response")).to_be_focused()
        page.keyboard.press("Escape")
        expect(grid).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("tab", selected=True)).to_be_focused()

    def test_a_button_that_leads_to_the_next_exchange_keeps_the_focus(self, opened: Open) -> None:
        page = opened("everything", "exchanges?open=5")
        page.get_by_role("button", name="Next exchange").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.locator(".detail")).to_contain_text("Exchange 7")

    def test_no_filter_has_two_choices_of_one_name(self, opened: Open) -> None:
        page = opened("everything", "exchanges")
        for facet in page.locator(".facet").all():
            names = [text.rpartition(" (")[0] or text for text in facet.locator("option").all_inner_texts()]
            assert len(names) == len(set(names)), names

    def test_an_address_brings_back_what_was_shown(self, opened: Open) -> None:
        page = opened("everything", "exchanges?sender=AdNova&open=5")
        expect(page.locator(".detail")).to_contain_text("Exchange 5")
        page.get_by_role("link", name="Overview").click()
        page.go_back()
        expect(page.locator(".detail")).to_contain_text("Exchange 5")

    def test_where_there_is_little_room_rows_are_cards_and_the_details_take_their_place(self, opened: Open) -> None:
        page = opened("everything", "exchanges", width=400)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        expect(page.get_by_role("columnheader")).to_have_count(1)
        page.get_by_text("Filters").click()
        choose(page, "Method", "POST")
        rows(page).first.click()
        expect(page.locator(".detail")).to_contain_text("Exchange 2")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.get_by_role("button", name="List").click()
        expect(page.locator(".count")).to_have_text("37 of 71 exchanges")

    def test_all_rows_are_printed(self, opened: Open) -> None:
        page = opened("everything", "exchanges")
        assert rows(page).count() < 71
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert rows(page).count() == 71
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert rows(page).count() < 71

    def test_no_number_is_printed_over_two_lines(self, opened: Open) -> None:
        page = opened("everything", "exchanges")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 1000, "height": 800})  # a landscape page
        found = "all => all.map(one => one.lastChild).map(text => { text.data = '0.999';"
        found += " const range = document.createRange(); range.selectNodeContents(text);"
        found += " return range.getClientRects().length; })"
        assert set(page.locator(".tbody .confidence").evaluate_all(found)) == {1}


@pytest.mark.parametrize("view", ["overview", "exchanges", "connections", "problems"])
def test_every_view_fits_a_narrow_window(opened: Open, view: str) -> None:
    """320 CSS pixels: WCAG 2.2, 1.4.10 (reflow)."""
    page = opened("everything", view, width=320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


class TestDetails:
    def test_a_decrypted_body_stands_beside_the_original_with_cipher_key_and_iv(self, opened: Open) -> None:
        page = open_by_url(opened, "events")
        expect(page.get_by_role("region", name="Decrypted")).to_contain_text("f00dcafe12345678")
        expect(page.get_by_role("region", name="As sent")).to_contain_text("00000000")
        for text in ("AES/CBC/PKCS5Padding", "ec083c0652e92e8be03351182319d780", "23f14a333200d6b18791dc6ca17897a2"):
            expect(page.locator(".detail")).to_contain_text(text)

    def test_a_body_is_shown_in_each_form_that_fits(self, opened: Open) -> None:
        page = open_by_url(opened, "/bid")
        form = page.locator(".body")
        expect(form).to_contain_text("48.85,2.35")
        form.get_by_role("button", name="Text").click()
        expect(form).to_contain_text("geo=48.85%2C2.35")
        form.get_by_role("button", name="Hex").click()
        expect(form).to_contain_text("61 69 64 3d")

    def test_json_is_a_tree_that_opens_and_closes(self, opened: Open) -> None:
        page = open_by_url(opened, "forecast")
        page.get_by_role("tab", name="Response").click()
        tree = page.locator(".tree")
        expect(tree).to_contain_text("48.8566")
        tree.locator("summary", has_text="place").click()
        expect(tree.get_by_text("48.8566")).to_have_count(0)
        tree.locator("summary", has_text="days").click()
        expect(tree.locator("summary")).to_have_count(3)

    def test_protobuf_is_read_without_a_schema(self, opened: Open) -> None:
        page = open_by_url(opened, "Ingest")
        tree = page.locator(".tree")
        expect(page.get_by_role("button", name="Protobuf")).to_have_attribute("aria-pressed", "true")
        for text in ("1 text: session-7", "4 message, 3 fields", "varint: 1795485865123", "double 48.8566", "int64 -5"):
            expect(tree).to_contain_text(text)
        page.get_by_role("tab", name="Response").click()
        expect(tree).to_contain_text("session-7")

    def test_an_image_is_shown(self, opened: Open) -> None:
        page = open_by_url(opened, "creative")
        page.get_by_role("tab", name="Response").click()
        expect(page.locator("figcaption")).to_contain_text(re.compile("image/png, 120 . 60"))

    def test_cookies_and_query_have_lists_of_their_own(self, opened: Open) -> None:
        page = open_by_url(opened, "forecast")
        expect(page.locator(".pairs").first).to_contain_text("48.8566")
        page = open_by_url(opened, "account")
        page.get_by_role("tab", name="Response").click()
        expect(page.locator("details", has_text="Cookies")).to_contain_text("path / · secure · HTTP only")

    def test_the_stack_is_folded_by_package_and_names_who_is_responsible(self, opened: Open) -> None:
        page = open_by_url(opened, "events")
        page.get_by_role("tab", name="Code").click()
        stack = page.locator(".stack")
        expect(stack.locator("li.responsible")).to_contain_text("Trackly")
        expect(stack.locator("li.responsible")).to_contain_text("EventUploader.upload (EventUploader.java:214)")
        conscrypt = stack.locator("li.system").first
        expect(conscrypt.get_by_text("SSL_write")).not_to_be_visible()
        conscrypt.locator("summary").click()
        expect(conscrypt.get_by_text("SSL_write")).to_be_visible()

    def test_a_call_is_said_to_be_before_or_after_the_message(self, opened: Open) -> None:
        page = open_by_url(opened, "events")
        page.get_by_role("tab", name="Code").click()
        expect(page.get_by_role("tabpanel")).to_contain_text("4.2 ms before the first byte")

    def test_a_doubtful_answer_shows_what_else_it_may_be(self, opened: Open) -> None:
        page = open_by_url(opened, "sync")
        page.get_by_role("tab", name="Code").click()
        panel = page.get_by_role("tabpanel")
        expect(panel).to_contain_text("0.32")
        expect(panel).to_contain_text("call #17")
        expect(panel).to_contain_text("No socket call of the trace is known to belong to it")

    def test_websocket_messages_are_a_conversation(self, opened: Open) -> None:
        page = open_by_url(opened, "radar")
        page.get_by_role("tab", name="Messages").click()
        talk = page.locator(".conversation > li")
        expect(talk).to_have_count(4)
        expect(talk.nth(0)).to_contain_text("Client")
        expect(talk.nth(0)).to_contain_text("frame 412")
        expect(talk.nth(2)).to_contain_text("binary")
        expect(page.get_by_role("tabpanel")).to_contain_text("Closed by the server, code 1001: going away")

    def test_events_of_a_stream_are_a_conversation(self, opened: Open) -> None:
        page = open_by_url(opened, "alerts")
        page.get_by_role("tab", name="Messages").click()
        expect(page.locator(".conversation > li")).to_have_count(3)
        expect(page.locator(".conversation")).to_contain_text("id 2")

    def test_times_are_a_bar_and_numbers(self, opened: Open) -> None:
        page = opened("everything", "exchanges?open=1")
        page.get_by_role("tab", name="Times").click()
        expect(page.locator(".timings .phase")).to_have_count(6)
        expect(page.get_by_role("region", name="Times")).to_contain_text("(18 ms of it TLS)")

    def test_tabs_are_used_by_arrows(self, opened: Open) -> None:
        page = open_by_url(opened, "events")
        page.get_by_role("tab", name="Request").focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Response")).to_be_focused()
        expect(page.get_by_role("tab", name="Response")).to_have_attribute("aria-selected", "true")
        page.keyboard.press("End")
        expect(page.get_by_role("tab", name="Times and facts")).to_be_focused()

    def test_a_request_is_copied_as_curl(self, opened: Open) -> None:
        page = open_by_url(opened, "/bid")
        command = copied(page, "Copy as curl")
        assert "--url https://bid.adnova.example/bid" in command
        assert "--header 'User-Agent: okhttp/4.12'" in command
        assert "--data-raw 'aid=0898dffadeb609a48ed007ce91c54dd7&slot=1&geo=48.85%2C2.35'" in command
        assert "--request" not in command

    def test_frames_are_copied_as_a_filter_for_wireshark(self, opened: Open) -> None:
        page = open_by_url(opened, "/bid")
        assert re.fullmatch(r"frame\.number in \{\d+\.\.\d+\}", copied(page, "Copy Wireshark filter"))

    def test_all_bytes_are_printed(self, opened: Open) -> None:
        page = open_by_url(opened, "creative")
        page.get_by_role("tab", name="Response").click()
        page.locator(".body").get_by_role("button", name="Hex").click()
        seen = page.locator(".hex-line").count()
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        size = int(page.locator(".body").first.evaluate("one => one.querySelectorAll('.hex-line').length"))
        assert size >= seen and size > 18
        cut = "one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1"
        assert not page.locator(".hex").first.evaluate(cut)
        last = page.locator(".hex-line").last.bounding_box()
        whole = page.locator(".body").first.bounding_box()
        assert last is not None and whole is not None
        assert last["y"] + last["height"] <= whole["y"] + whole["height"]

    def test_a_body_is_saved_as_its_bytes(self, opened: Open) -> None:
        page = open_by_url(opened, "creative")
        page.get_by_role("tab", name="Response").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save").click()
        assert download.value.suggested_filename == "exchange-11-response.bin"
        assert download.value.path().read_bytes().startswith(base64.b64decode("iVBORw0KGgo="))


class TestConnectionsAndProblems:
    def test_no_number_is_over_two_lines(self, opened: Open) -> None:
        cells = opened("everything", "problems").locator(".plain-table tbody td.end")
        cells.first.wait_for()
        found = "all => all.map(one => { one.parentNode.firstChild.textContent = 'some words '.repeat(50);"
        found += " one.textContent = '1,234 kB'; const range = document.createRange();"
        found += " range.selectNodeContents(one); return range.getClientRects().length; })"
        assert set(cells.evaluate_all(found)) == {1}

    def test_connections_are_searched_filtered_and_opened(self, opened: Open) -> None:
        page = opened("everything", "connections")
        expect(page.locator(".count")).to_have_text("9 connections")
        page.get_by_role("button", name="Not decrypted").click()
        expect(page.locator(".count")).to_have_text("4 of 9 connections")
        page.get_by_role("searchbox").fill("bank")
        expect(page.locator(".count")).to_have_text("1 of 9 connections")
        rows(page).first.click()
        detail = page.locator(".detail")
        for text in (
            "Not decrypted: no secret for this client random.",
            "t13d1812h1_85036bcba153_d41ae481755e",
            "Example CA",
        ):
            expect(detail).to_contain_text(text)

    def test_connections_are_reached_by_keyboard_alone(self, opened: Open) -> None:
        page = opened("everything", "connections")
        page.keyboard.press("/")
        page.keyboard.type("bank")
        page.keyboard.press("Enter")
        expect(page.locator(".count")).to_have_text("1 of 9 connections")
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Facts")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("grid", name="Connections")).to_be_focused()

    def test_a_connection_leads_to_its_exchanges(self, opened: Open) -> None:
        page = opened("everything", "connections?open=3")
        page.get_by_role("link", name="Show 25 exchanges").click()
        expect(page.locator(".count")).to_have_text("25 of 71 exchanges")
        page.get_by_role("button", name="connection 3").click()
        expect(page.locator(".count")).to_have_text("71 exchanges")

    def test_names_that_were_asked_for_are_listed(self, opened: Open) -> None:
        page = opened("everything", "connections")
        page.get_by_role("button", name="Names (DNS)").click()
        expect(page.get_by_role("row", name="api.weather.example")).to_contain_text("192.0.2.10")

    def test_problems_say_where_they_are_and_what_they_cost(self, opened: Open) -> None:
        page = opened("everything", "problems")
        row = page.get_by_role("row", name="bytes of the stream were not captured")
        for text in ("tcp-gap", "311", "390", "4.4 kB"):
            expect(row).to_contain_text(text)
        row.get_by_role("link").click()
        expect(page.locator(".detail")).to_contain_text("video.example")


def test_colours_follow_the_system_or_the_choice(opened: Open) -> None:
    page = opened(theme="dark")
    background = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Colours: auto").click()
    page.locator("html[data-theme=light]").wait_for()
    assert page.evaluate(background) != dark
    page.reload()
    expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
