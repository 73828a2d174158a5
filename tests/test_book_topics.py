"""The list of topics: where the book teaches each of them, and what it still owes."""

import re
from collections import Counter

import pytest
from notebooks import pages
from topics_page import PAGE, headings, page_of_topics, page_text, places, read_topics

AREAS = read_topics()
ENTRIES = [entry for entries in AREAS.values() for entry in entries]
FOLKLORE = AREAS["Folklore"]
LISTINGS = "book/appendix/listings"
# What no page teaches yet. Take out a topic when a page teaches it; add none.
OPEN = {
    "fair comparison of the families on one task with one budget",
    "size",
    "memory",
    "data augmentation with generated images, and whether it helps",
    "textures for games",
    "medical imaging as an outlook",
    "VAE with an adversarial loss",
    "light-weight models",
    "many GPUs",
    "memorisation",
    "privacy",
    "membership inference",
    "differential privacy",
    "fake images",
    "watermarks",
    "copyright",
    "portrait rights",
    "compute cost",
    "GAN or VAE?",
    "How do I protect privacy?",
}


def section(page, heading):
    """What stands under a heading, up to the next one."""
    after = re.split(rf"^#+ {re.escape(heading)} *$", page_text(page), flags=re.M)[1]
    return re.split(r"^#+ ", after, flags=re.M)[0]


def test_no_topic_is_listed_twice():
    names = Counter(entry["topic"] for entry in ENTRIES)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["topic"])
def test_topic_is_taught_under_headings_that_exist_or_is_open(entry):
    assert bool(places(entry)) != ("open" in entry)
    for page, heading in places(entry):
        assert page in pages()
        assert headings(page).count(heading) == 1, (page, heading)


def test_open_topics_are_those_written_down():
    assert {entry["topic"] for entry in ENTRIES if "open" in entry} == OPEN


def test_a_topic_is_not_open_once_the_page_that_is_to_hold_it_is_there():
    planned = {f"book/{entry['open']}" for entry in ENTRIES if entry.get("open")}
    assert planned & set(pages()) == set()


def test_all_folklore_is_listed():
    assert [entry["number"] for entry in FOLKLORE] == list(range(1, 26))


@pytest.mark.parametrize("entry", FOLKLORE, ids=lambda entry: str(entry["number"]))
def test_folklore_leads_to_its_box(entry):
    for page, heading in places(entry):
        box = f"> **Folklore {entry['number']}.**" if page == LISTINGS else "> **"
        assert re.search(rf"^{re.escape(box)}", section(page, heading), re.M), heading


def test_every_wrong_listing_is_on_the_list():
    boxes = re.findall(r"^> \*\*Folklore (\d+)\.\*\*", page_text(LISTINGS), re.M)
    listed = [e["number"] for e in FOLKLORE if LISTINGS in dict(places(e))]
    assert sorted(map(int, boxes)) == listed


def test_page_of_topics_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page_of_topics(), (
        "run tools/topics_page.py"
    )
