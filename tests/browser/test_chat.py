"""A visitor's way through the chat, in a real browser, with the real engine.

After each test the browser must have asked no other host for anything and reported no error.
"""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
QUOTE = "Captain Ingrid Solberg steered the ferry on its first crossing to Lysoe."

IN_VIEW = """element => {
    const { top, bottom } = element.getBoundingClientRect();
    const box = element.closest(".aq-dialog-body, #aq-right").getBoundingClientRect();
    return top >= Math.max(0, box.top) - 1
        && bottom <= Math.min(innerHeight, box.bottom) + 1;
}"""


def test_from_a_question_to_the_exact_words_in_the_article(visit):
    page = visit.page
    visit.ask("Who steered the ferry?")
    assert "Ingrid Solberg" in page.inner_text("#turn-1 .aq-text")
    assert re.match(r"Read \d+ passages? from \d+ articles?", page.inner_text("#turn-1 summary"))
    assert page.inner_text("#cite-1-1 mark") == QUOTE
    assert "Harbour Gazette · 3 May 2021" in page.inner_text("#cite-1-1")
    page.click("#turn-1 a.aq-cite")
    assert "aq-chosen" in page.get_attribute("#cite-1-1", "class")
    assert page.eval_on_selector("#cite-1-1", IN_VIEW)
    page.click("#cite-1-1 a.aq-open")
    mark = page.locator(".aq-dialog mark#mark-1")
    mark.wait_for()
    assert mark.inner_text() == QUOTE
    assert mark.evaluate(IN_VIEW)
    assert page.locator(".aq-dialog h1").inner_text().startswith("Ferries Return")
    page.keyboard.press("Escape")
    assert page.locator(".aq-dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.className") == "aq-open"


def test_values_that_differ_are_a_table_with_its_sources(visit):
    visit.ask("How many million crowns did the repairs cost?")
    table = visit.page.locator("#turn-1 .aq-short table")
    rows = [row.split("\t") for row in table.inner_text().splitlines()]
    assert [row[0].split()[0] for row in rows] == ["Answer", "55", "41"]  # newest first
    assert [row[1] for row in rows[1:]] == ["Island Post", "Harbour Gazette"]
    table.locator("a.aq-cite").nth(1).click()
    assert "41 million crowns" in visit.page.inner_text("#cite-1-2 mark")
    assert "aq-chosen" in visit.page.get_attribute("#cite-1-2", "class")


def test_words_far_down_a_long_article_are_scrolled_into_view(visit):
    visit.ask("Who signed the contract for the bridge?")
    visit.page.click("#cite-1-1 blockquote")  # the whole card opens it
    mark = visit.page.locator(".aq-dialog mark#mark-1")
    mark.wait_for()
    assert mark.evaluate(IN_VIEW)
    assert visit.page.eval_on_selector(".aq-dialog-body", "body => body.scrollTop") > 300
    visit.page.click(".aq-close")
    assert visit.page.locator(".aq-dialog[open]").count() == 0


def test_the_link_to_an_article_is_a_page_of_its_own(visit):
    visit.ask("Who steered the ferry?")
    visit.page.goto(visit.page.locator("#cite-1-1 a.aq-open").evaluate("link => link.href"))
    assert visit.page.inner_text("mark#mark-1") == QUOTE
    assert visit.page.title().startswith("Ferries Return")


def test_all_of_it_works_with_the_keyboard(visit):
    page = visit.page
    visit.ask("Who steered the ferry?")
    page.focus("#turn-1 a.aq-cite")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "cite-1-1"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "aq-open"
    page.keyboard.press("Enter")
    page.locator(".aq-dialog mark").wait_for()
    assert page.evaluate("document.activeElement.closest('.aq-dialog') !== null")


def test_what_the_articles_do_not_say_is_said_so(visit):
    visit.ask("Who won the chess tournament in Paris?")
    assert "Not in your articles" in visit.page.inner_text("#turn-1 .aq-missing")
    panel = visit.page.locator("#aq-panel")
    assert panel.locator(".aq-badge, mark, .aq-bar").count() == 0
    assert "No sources" in panel.inner_text()
    if panel.locator(".aq-related").count():
        assert "Related, not an answer" in panel.inner_text()


def test_a_follow_up_question_is_understood(visit):
    visit.ask("Who steered the ferry?")
    visit.ask("And when did it leave?")
    assert "Understood as" in visit.page.inner_text("#turn-2")
    assert visit.page.locator("#sources-2").is_visible()
    assert not visit.page.locator("#sources-1").is_visible()
    visit.page.click("#turn-1 a.aq-cite")  # an older answer brings its own sources back
    assert visit.page.locator("#sources-1").is_visible()
    assert not visit.page.locator("#sources-2").is_visible()


def test_an_example_is_a_question_and_new_chat_starts_over(visit):
    page = visit.page
    page.click("text=Who signed the contract for the bridge?")
    page.locator("#turn-1 .aq-copy").wait_for()
    assert "Henrik Dahl" in page.inner_text("#turn-1 .aq-text")
    assert not page.locator(".aq-example").first.is_visible()
    page.click("#aq-clear")
    page.locator(".aq-welcome").wait_for()
    page.locator(".aq-example").first.wait_for()
    assert page.locator(".aq-turn, .aq-card").count() == 0


def test_an_answer_can_be_stopped_and_the_next_one_asked(visit):
    page = visit.page
    page.locator("#aq-box textarea").fill("Who steered the ferry slowly")
    page.keyboard.press("Enter")
    page.locator(".aq-busy .aq-now", has_text="Found").wait_for()
    with page.expect_response("**/gradio_api/reset"):  # only then is the next question taken
        page.click("#aq-box >> text=Stop")
    page.locator("#turn-1 .aq-stopped").wait_for()
    page.wait_for_timeout(100)
    visit.ask("Who steered the ferry?")
    assert "Ingrid Solberg" in page.inner_text("#turn-2 .aq-text")
    assert "Stopped" in page.inner_text("#turn-1")


def test_a_long_conversation_shows_the_newest_question_from_its_beginning(visit_with):
    visit = visit_with(viewport={"width": 700, "height": 480})
    for _ in range(3):
        visit.ask("Who steered the ferry?")
    visit.page.wait_for_timeout(200)
    chat = visit.page.locator("#aq-chat").bounding_box()
    question = visit.page.locator("#turn-3 .aq-question").bounding_box()
    assert chat["y"] <= question["y"] < chat["y"] + chat["height"] / 2


def test_a_question_that_is_too_long_gets_a_friendly_answer(visit):
    visit.ask("why " * 600)
    assert "Shorten it" in visit.page.inner_text("#turn-1 .aq-error")
    visit.ask("Who steered the ferry?")
    assert "Ingrid Solberg" in visit.page.inner_text("#turn-2 .aq-text")


def test_copying_takes_the_sources_along(visit_with):
    visit = visit_with(permissions=["clipboard-read", "clipboard-write"])
    visit.ask("Who steered the ferry?")
    visit.page.click(".aq-copy")
    visit.page.locator("text=Copied").wait_for()
    short = visit.page.locator("#turn-1 .aq-short > p").all_inner_texts()
    head = "".join(f"{line}\n" for line in short) + "\n" * bool(short)
    shown = " ".join(visit.page.inner_text("#turn-1 .aq-text").split())
    assert visit.page.evaluate("navigator.clipboard.readText()") == (
        f"{head}{shown}\n\n[1] Ferries Return to the Sound After Eleven Months "
        f"(Harbour Gazette · 3 May 2021)\n“{QUOTE}”\nhttps://gazette.example/ferries"
    )


@pytest.mark.parametrize("bypass_csp", [False, True], ids=["policy", "no policy"])
def test_an_article_full_of_code_is_only_text(visit_with, image, bypass_csp):
    visit = visit_with(bypass_csp=bypass_csp)
    page = visit.page
    visit.ask(f"Who repaired the lamp of the lighthouse? {image}")
    assert image in page.inner_text("#turn-1 .aq-question")
    assert image in page.inner_text("#turn-1 .aq-text")
    assert image in page.inner_text("#cite-1-1 mark")
    assert page.locator("#cite-1-1 .aq-original").count() == 0, "javascript: is no address"
    page.click("#turn-1 a.aq-cite")
    page.click("#cite-1-1 a.aq-open")
    page.locator(".aq-dialog mark").wait_for()
    article = page.inner_text(".aq-dialog-body")
    assert "<script>window.hacked = 2</script>" in article
    assert "![pixel](https://evil.example/b.png)" in article
    assert page.locator("#aq-log img, #aq-panel img, .aq-dialog img").count() == 0
    page.wait_for_timeout(300)  # whatever would load or run, has
    assert visit.too_wide <= 0


def test_a_phone_shows_it_all_without_scrolling_sideways(visit_with):
    visit = visit_with(**PHONE)
    assert visit.too_wide <= 0
    visit.ask("Who signed the contract for the bridge?")
    assert visit.too_wide <= 0
    chat = visit.page.locator("#aq-chat").bounding_box()
    sources = visit.page.locator("#aq-panel").bounding_box()
    assert sources["y"] > chat["y"] + chat["height"]
    visit.page.click("#turn-1 a.aq-cite")
    visit.page.wait_for_function(
        "() => document.getElementById('cite-1-1').getBoundingClientRect().top < innerHeight"
    )
    visit.page.click("#cite-1-1 a.aq-open")
    visit.page.locator(".aq-dialog mark").wait_for()
    assert visit.too_wide <= 0
    assert visit.page.locator(".aq-dialog mark").evaluate(IN_VIEW)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_page_is_light_or_dark_as_the_system_is(visit_with, scheme, dark):
    visit = visit_with(color_scheme=scheme)
    visit.ask("Who steered the ferry?")
    color = visit.page.eval_on_selector(
        ".gradio-container", "page => getComputedStyle(page).backgroundColor"
    )
    red, green, blue = map(int, re.findall(r"\d+", color)[:3])
    assert (red + green + blue < 200) == dark
