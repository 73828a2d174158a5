"""The sources of the book: every page there, every notebook as it should be."""

import json
import re
from collections import Counter

import notebook_rules
import pytest
import yaml
from book_pages import citation_keys
from compare_records import problems, read_bands, stored_record
from notebooks import ROOT, notebooks, pages, read, source_of

NOTEBOOKS = notebooks()
BIBLIOGRAPHY = ROOT / "book/references.bib"
LINK = re.compile(r"\]\((https?://(?:[^()\s]|\([^()\s]*\))+)\)")
WORKS = re.compile(r"https?://(www\.)?((dx\.)?doi\.org|arxiv\.org)/")


def name_of(path):
    return str(path.relative_to(ROOT))


def markdown_of(page):
    path = source_of(page)
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return notebook_rules.markdown_text(read(path))


def linked_addresses():
    return {
        url.rstrip("/") for page in pages() for url in LINK.findall(markdown_of(page))
    }


def test_every_page_of_the_table_of_contents_exists_once():
    assert Counter(pages()).most_common(1)[0][1] == 1
    for page in pages():
        assert source_of(page).exists()


def test_every_notebook_is_in_the_table_of_contents():
    found = {
        path
        for path in (ROOT / "book").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }
    assert found == set(NOTEBOOKS)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        pytest.param(path, rule, id=f"{name_of(path)}-{rule.__name__}")
        for path in NOTEBOOKS
        for rule in notebook_rules.rules_for(path)
    ],
)
def test_notebook_keeps_the_rule(path, rule):
    assert list(rule(read(path))) == []


def test_only_pages_that_show_go_without_exercises():
    without = {
        name_of(path)
        for path in NOTEBOOKS
        if notebook_rules.exercises_with_solutions not in notebook_rules.rules_for(path)
    }
    assert without == {"book/gallery.ipynb", "book/appendix/listings.ipynb"}


def test_a_name_is_defined_in_one_notebook_only():
    names = Counter(
        name
        for path in NOTEBOOKS
        for name in set(notebook_rules.defined_names(read(path)))
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_alt_texts_are_unique():
    texts = Counter(alt for p in NOTEBOOKS for alt in notebook_rules.alt_texts(read(p)))
    assert [text for text, count in texts.items() if count > 1] == []


def test_every_cited_work_is_in_the_bibliography():
    entries = citation_keys([BIBLIOGRAPHY])
    cited = {url for url in linked_addresses() if WORKS.match(url)}
    assert sorted(cited - entries.keys()) == []


def test_every_work_of_the_bibliography_has_an_address_and_is_cited():
    entries = citation_keys([BIBLIOGRAPHY])
    keys = re.findall(r"^@\w+\{(\w+),", BIBLIOGRAPHY.read_text("utf-8"), re.MULTILINE)
    assert sorted(keys) == sorted(entries.values())
    assert sorted(entries[url] for url in entries.keys() - linked_addresses()) == []


def test_bands_are_those_of_the_notebooks():
    recorded = [stored_record(read(path))["chapter"] for path in NOTEBOOKS]
    assert sorted(read_bands()) == sorted(recorded)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_stored_record_is_the_chapters_and_inside_its_bands(path):
    record = stored_record(read(path))
    assert f"book/{record['chapter']}.ipynb" == name_of(path)
    values = record["values"]
    assert problems(values, values, read_bands()[record["chapter"]], "full") == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_bands_are_intervals(path):
    record = stored_record(read(path))
    for band in read_bands()[record["chapter"]].values():
        assert band.keys() == {"tolerance", "full", "embedded"}
        assert band["tolerance"] >= 0
        for low, high in (band["full"], band["embedded"]):
            assert low <= high


def test_records_are_complete():
    for path in sorted((ROOT / "companion/records").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        for key in ("values", "command", "commit", "device", "data", "seconds"):
            assert record.get(key), f"{path.name} lacks {key}"
        assert isinstance(record["steps"], int), f"{path.name} lacks steps"


def test_settings_files_agree():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert {"pip": ["-c constraints.txt", "-e .[book,test]"]} in environment[
        "dependencies"
    ]
    for workflow in (ROOT / ".github/workflows").glob("*.yml"):
        steps = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
        commands = json.dumps([step for job in steps for step in job["steps"]])
        assert "make " in commands or ".ci/run" in commands, workflow.name
