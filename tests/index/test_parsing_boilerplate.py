import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.parsing import parse_source
from index.parsing.boilerplate import MAX_WORDS, is_boilerplate, without_boilerplate

STANDING = [
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


def test_time_is_linear():
    assert not is_boilerplate("read more " * 200_000)
    assert not is_boilerplate("a" * 2_000_000)
