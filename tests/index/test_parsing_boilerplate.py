import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing import parse_source
from index.parsing.boilerplate import MAX_WORDS, is_boilerplate, without_boilerplate
from index.parsing.captions import split_credit

NOTICES = [  # of a cookie wall
    "We and our 842 partners store and/or access information on a device, such as cookies and "
    "process personal data, such as unique identifiers and standard information sent by a device "
    "for personalised advertising and content, advertising and content measurement, audience "
    "research and services development.",
    "We and our 1,532 partners store and/or access information on a device.",
    "With your permission we and our partners may use precise geolocation data and identification "
    "through device scanning.",
    "You may click to consent to our and our 842 partners’ processing as described above. "
    "Alternatively you may access more detailed information and change your preferences before "
    "consenting or to refuse consenting.",
    "Please note that some processing of your personal data may not require your consent, but you "
    "have a right to object to such processing. Your preferences will apply to this website only.",
    "Our 842 partners process your personal data on the basis of legitimate interest.",
    "We use cookies and similar technologies on every page that you open here, and so do the "
    "companies that we work with, so that what you see and what is advertised is personalized.",
]
PLEAS = [
    "Join 50,000 readers who get our free weekly email.",
    "Join more than 1.2 million subscribers to our morning briefing",
    "Get our free daily newsletter",
    "Get our free daily newsletter, with the five stories that matter most, every weekday at "
    "seven, and a long read on Sunday that you will find nowhere else on the web. No spam, ever.",
    "Support independent journalism. Donate now to keep our reporting free for everyone.",
    "Support our journalism by becoming a member.",
    "Support local journalism today",
    "Donate now",
    "Please consider making a donation: your gift keeps this site free.",
]
STANDING = [
    *NOTICES,
    *PLEAS,
    "Advertisement",
    "- Advertisement -",
    "Article continues below advertisement",
    "Read more: Ferries return after eleven months",
    "READ MORE",
    "Also read: The captain speaks",
    "Read More From the North Sea: Ferries",
    "Related articles",
    "Share this article",
    "Facebook Twitter WhatsApp",
    "Follow us on Twitter for more.",
    "Sign up for our daily newsletter to get the best stories in your inbox.",
    "This story has been updated.",
    "This article was updated on 4 March to add a comment.",
    "This is a developing story. Please check back for updates.",
    "JO DOE/AFP",
    "Photo: Jane Doe",
    "We use cookies on this site.",
    "We and our 812 partners store and/or access information on a device, such as cookies, and "
    "process personal data, such as unique identifiers, for personalised ads and content. You can "
    "accept or manage your choices in the settings at any time, as our privacy policy says.",
    "Skip to main content",
    "Anzeige",
    "Lesen Sie auch: Die Fähre fährt wieder",
    "Abonnieren Sie unseren Newsletter",
    "Lire aussi : Le ferry reprend la mer",
    "Lea también: El ferry vuelve",
    "Читайте також: Пором повернувся",
    "Підписуйтесь на наш Telegram-канал",
]
ARTICLE = [
    # about cookies, newsletters, donations
    "“We and our 842 partners store and/or access information on a device,” the banner says.",
    "The banner says: We and our 842 partners store and/or access information on a device.",
    "We and our partners process milk for half of the valley, the owner of the dairy said.",
    "Cookies store information on a device, and most sites ask readers to consent.",
    "Your personal data will be processed by 842 partners, the regulator found.",
    "We and our partners process asylum claims, and requests for information, said the office.",
    "Consider making a donation to the food bank, the mayor said.",
    "Partners of the firm may process your milk.",
    "You can click to agree to the terms, but nobody reads them.",
    "Join 50,000 people on the march to the ministry on Sunday, organisers asked.",
    "Get our boys home, says the newsletter of the veterans.",
    "The newsletter has 50,000 readers who get its free weekly email.",
    "Newsletters are how small outlets survive.",
    "Support for independent journalism has fallen, and fewer readers donate now.",
    "Support independent journalism, the minister told the donors.",
    "Donate blood, the hospital asked.",
    "Donations to the newsroom doubled after the raid.",
    "Consider the donation that the mill made to the school.",
    "I agree.",
    "More options are on the table, she said.",
    "Share prices fell.",
    "Read more books, she said.",
    "Sign up for the army, the poster said.",
    "Related problems are common.",
    "The story has been updated many times in film.",
    "Save the whales.",
    "More from the region is expected on Monday.",
    "Werbung ist teuer.",
    "Print is dead, he said.",
    "“We use cookies,” the baker said, “and a little cinnamon.”",
    "Follow the money, the detective said.",
    "The AFP report says so.",
]
WORD = st.text(alphabet=st.characters(categories=["Ll"]), min_size=1, max_size=12)


@pytest.mark.parametrize("line", STANDING)
def test_standing_lines(line):
    assert is_boilerplate(line)
    assert is_boilerplate(f"  {line}\n")


@pytest.mark.parametrize("line", ARTICLE)
def test_sentences_of_articles(line):
    assert not is_boilerplate(line)


@given(
    first=st.sampled_from(["Read more", "Share", "Sign up for our newsletter", "Follow us", "The"]),
    words=st.lists(WORD, min_size=MAX_WORDS + 1, max_size=80),
)
def test_a_long_sentence_always_stays(first, words):
    assert not is_boilerplate(f"{first} {' '.join(words)}.")


@given(lines=st.lists(st.one_of(st.sampled_from(STANDING + ARTICLE), st.text(max_size=80))))
def test_what_is_kept_is_kept_in_order_and_unchanged(lines):
    kept = list(without_boilerplate(lines))
    assert kept == [line for line in lines if not is_boilerplate(line)]
    assert list(without_boilerplate(kept)) == kept


@pytest.mark.parametrize("suffix", [".txt", ".html"])
def test_it_is_off_in_articles(suffix):
    before, after = "The first crossing left at dawn.", "It took two hours in a strong wind."
    lines = [before, *STANDING, after]
    body = "".join(f"<p>{line}</p>" for line in lines)
    page = f"<html><body><article>{body}</article></body></html>"
    text = page if suffix == ".html" else "A headline\n\n" + "\n\n".join(lines)
    (article,) = parse_source(f"a{suffix}", text.encode()).articles
    assert article.text == f"{before}\n\n{after}"


@pytest.mark.parametrize("mark", ["", "class='qc-cmp2-container'", "id='onetrust-consent-sdk'"])
def test_a_page_that_is_only_a_cookie_wall_is_refused(mark):
    wall = "".join(f"<p>{line}</p>" for line in ["We value your privacy", *NOTICES])
    buttons = "<span>MORE OPTIONS</span><p>AGREE</p>"
    page = f"<html><body><div {mark}>{wall}{buttons}</div></body></html>"
    with pytest.raises(ParseError, match="no article text found"):
        parse_source("a.html", page.encode())


def test_an_article_behind_a_cookie_wall_is_read_without_it():
    words = [f"Crossing number {number} left at dawn in a strong wind." for number in range(9)]
    story = "".join(f"<p>{line}</p>" for line in words)
    wall = "".join(f"<p>{line}</p>" for line in NOTICES)
    wall = f"<div class='qc-cmp2-container'><h2>Cookies here</h2>{wall}</div>"
    page = f"<html><body>{wall}<article><h1>Ferries</h1>{story}</article></body></html>"
    (article,) = parse_source("a.html", page.encode()).articles
    assert article.text == "\n\n".join(words)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("The bridge at dusk. Photo by Jane Doe for the Gazette", "The bridge at dusk."),
        ("The bridge at dusk. (Photo by Jane Doe for The Gazette)", "The bridge at dusk."),
        ("The bridge. Photo by Jane Doe for the Gazette won a prize.", None),
    ],
)
def test_the_credit_of_a_caption_may_name_whom_it_was_taken_for(caption, words):
    assert split_credit(caption)[0] == (words or caption)


def test_time_is_linear():
    assert not is_boilerplate("read more " * 200_000)
    assert not is_boilerplate("a" * 2_000_000)
    assert not is_boilerplate("join 1 readers " + "a " * 200_000)
    assert not is_boilerplate("get our " + "a-" * 200_000)
