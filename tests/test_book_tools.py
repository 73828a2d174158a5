"""The tools that execute, stamp and check the notebooks."""

import ast
import copy
import subprocess
import sys
import textwrap
from pathlib import Path

import compare_records
import nbformat
import notebook_rules
import pytest
import torch
from execute import NotebookFailed, collapse_returns, execute
from fingerprint import fingerprint, reached_modules, serialise
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import ROOT, pages, read, repository, write
from processes import SIDE_BY_SIDE
from setup_cells import setup_cell
from threadpoolctl import threadpool_info

# Fingerprints


@pytest.fixture
def package(tmp_path):
    """A small `companion` with a package that hands names on."""
    files = {
        "companion/__init__.py": "",
        "companion/runtime.py": "def seed(): pass",
        "companion/losses/__init__.py": """
            from companion.losses.a import alpha
            from companion.losses.b import beta
        """,
        "companion/losses/a.py": '''
            """A."""
            from ..runtime import seed

            def alpha():
                """Doc."""
                return f"{1:>{2}}" "b"  # why
        ''',
        "companion/losses/b.py": "def beta(): pass",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path


def code(*sources):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


USES_ALPHA = code("from companion.losses import alpha", "%timeit alpha()")


def test_modules_are_reached_through_packages(package):
    names = reached_modules("from companion.losses import alpha\n%x", package)
    assert set(names) == {"companion.losses.a", "companion.runtime"}
    assert set(reached_modules("import companion.losses.b", package)) == {
        "companion.losses.b"
    }
    assert set(reached_modules("from companion import losses", package)) == {
        "companion.losses",
        "companion.losses.a",
        "companion.losses.b",
        "companion.runtime",
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("companion/losses/a.py", "# why", "# for no reason", False),
        ("companion/losses/a.py", "Doc.", "Other words.", False),
        ("companion/losses/b.py", "pass", "return 1", False),
        ("companion/losses/a.py", "{1:>", "{2:>", True),
        ("companion/runtime.py", "pass", "return 1", True),
    ],
)
def test_fingerprint_follows_the_code_that_is_reached(package, file, old, new, changes):
    before = fingerprint(USES_ALPHA, package)
    path = package / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert (fingerprint(USES_ALPHA, package) != before) == changes


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("recorded('slow')", True),
        ("recorded(name)", True),
        ("recorded_picture('slow')", True),
        ("recorded('fast')", False),
        ("check('a', f)", True),
        ("check('b', f)", False),
    ],
)
def test_fingerprint_follows_shown_records_and_exercises(package, code, changes):
    notebook = {"cells": [{"cell_type": "code", "source": code, "metadata": {}}]}
    for folder in ("records", "exercises"):
        (package / "companion" / folder).mkdir()
    record = package / "companion/records/slow.json"
    exercise = package / "companion/exercises/a.py"
    record.write_text("1")
    exercise.write_text("CASES = 1")
    before = fingerprint(notebook, package)
    record.write_text("2")
    exercise.write_text("CASES = 2")
    assert (fingerprint(notebook, package) != before) == changes


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pretrained/gan.safetensors", "other weights"),
        ("pretrained/gan.json", '{"network": "companion.models.gan:G", "steps": 2}'),
        ("models/gan.py", "class G: size = 2"),
    ],
)
@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("pretrained('gan')", True),
        ("pretrained(name)", True),
        ("pretrained(name='gan')", True),
        ("pretrained('other')", False),
        ("from companion.losses.b import beta", True),  # which loads it
        ("from companion.losses.a import alpha", False),
    ],
)
def test_fingerprint_follows_weights_that_are_loaded(
    package, file, text, code, changes
):
    for name, content in {
        "pretrained/gan.safetensors": "weights",
        "pretrained/gan.json": '{"network": "companion.models.gan:G", "steps": 1}',
        "pretrained/other.json": '{"network": "companion.losses.a:alpha"}',
        "models/gan.py": "class G: size = 1",
        "losses/b.py": "def beta(): return pretrained('gan')",
    }.items():
        path = package / "companion" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    notebook = {"cells": [{"cell_type": "code", "source": code, "metadata": {}}]}
    before = fingerprint(notebook, package)
    (package / "companion" / file).write_text(text)
    assert (fingerprint(notebook, package) != before) == changes


def test_fingerprint_follows_a_card_that_is_shown(package):
    notebook = code("read_card('gan')")
    card = package / "companion/pretrained/gan.json"
    card.parent.mkdir()
    card.write_text('{"steps": 1}')
    before = fingerprint(notebook, package)
    card.write_text('{"steps": 2}')
    assert fingerprint(notebook, package) != before


def test_fingerprint_follows_the_cells_but_not_the_set_up_cell(package):
    notebook = copy.deepcopy(USES_ALPHA)
    before = fingerprint(notebook, package)
    set_up = new_code_cell("anything", metadata={"tags": ["setup"]})
    notebook["cells"].insert(0, set_up)
    notebook["cells"].append(new_markdown_cell("words"))
    assert fingerprint(notebook, package) == before
    notebook["cells"][1]["source"] += "\nalpha()"
    assert fingerprint(notebook, package) != before


def test_syntax_trees_are_written_the_same_on_every_python():
    tree = ast.parse("def f(a, *, b=None):\n    'doc'\n    return {**a, 'k': [...]}")
    assert serialise(tree) == (
        "Module(body=[FunctionDef(name='f',args=arguments(args=[arg(arg='a')],"
        "kwonlyargs=[arg(arg='b')],kw_defaults=[Constant()]),"
        "body=[Return(value=Dict(keys=[None,Constant(value='k')],"
        "values=[Name(id='a'),List(elts=[Constant(value=Ellipsis)])]))])])"
    )


def test_syntax_trees_keep_what_makes_a_difference():
    def text(code):
        return serialise(ast.parse(code))

    assert text("['a', 'b']") != text("['ab']")
    assert text("f'a{x}'") != text("f'{x}a'")
    assert text("f'a' f'b{x:}'") == text("f'ab{x:}'")
    assert text("None") != text("...")


# The table of contents


def test_pages_are_in_reading_order():
    toc = {
        "root": "a",
        "parts": [{"chapters": [{"file": "b", "sections": [{"file": "c"}]}]}],
        "chapters": [{"file": "d"}],
    }
    assert set(pages(toc)) == {"a", "b", "c", "d"}
    assert pages(toc)[0] == "a"


# Executing


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("a\rb\rc\nd\n", "c\nd\n"),
        ("50%\r100%\r", "100%"),
        ("long text\rshort  \nx", "short\nx"),
        ("plain\n", "plain\n"),
    ],
)
def test_progress_bars_keep_their_last_state(stored, kept):
    assert collapse_returns(stored) == kept


def run(tmp_path, *sources, embedded_ok=True):
    path = tmp_path / "chapter.ipynb"
    write(path, code(*sources))
    before = path.read_bytes()
    try:
        execute(path, embedded_ok=embedded_ok)
    except NotebookFailed as error:
        assert path.read_bytes() == before, "a failed run must change nothing"
        return error
    return read(path)


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    monkeypatch.setenv("COMPANION_OFFLINE", "1")


def test_outputs_and_stamp_are_stored(tmp_path, no_data):
    notebook = run(tmp_path, "print('a', end='\\r')\nprint('b')")
    assert notebook["cells"][0]["outputs"][0]["text"] == "b\n"
    stamp = notebook["metadata"]["companion"]
    assert stamp["data"] == "embedded" and stamp["device"]
    assert stamp["fingerprint"] == fingerprint(notebook)
    assert list(notebook_rules.ran_from_top_to_bottom(notebook)) == []


def test_outputs_are_stored_with_one_thread(tmp_path, no_data, monkeypatch):
    for name in SIDE_BY_SIDE:
        monkeypatch.setenv(name, "2")
    notebook = run(
        tmp_path,
        "import numpy, torch\nfrom threadpoolctl import threadpool_info",
        "from companion.runtime import setup\n_ = setup()",
        "print({pool['num_threads'] for pool in threadpool_info()})",
    )
    assert notebook["cells"][2]["outputs"][0]["text"] == "{1}\n"
    assert notebook["metadata"]["companion"]["threads"] == 1


def test_tests_have_one_thread():
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings\nwarnings.warn('odd')", "standard error"),
        ("1", "COMPANION_DATA"),
    ],
)
def test_failures_warnings_and_embedded_runs_are_not_stored(
    tmp_path, no_data, source, said
):
    error = run(tmp_path, source, embedded_ok=False)
    assert isinstance(error, NotebookFailed) and said in str(error)


def test_notebooks_without_a_stamp_are_run_first(tmp_path):
    took = {"slow": 90, "quick": 7, "unknown": None}
    for name, value in took.items():
        notebook = code("1")
        if value is not None:
            notebook["metadata"]["companion"] = {"seconds": value}
        write(tmp_path / f"{name}.ipynb", notebook)
    done = subprocess.run(
        [sys.executable, ROOT / "tools/longest_first.py"]
        + [tmp_path / f"{name}.ipynb" for name in ("quick", "slow", "unknown")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [Path(name).stem for name in done.stdout.split()] == [
        "unknown",
        "slow",
        "quick",
    ]


# Comparing records

BANDS = {"nll": {"tolerance": 0.1, "full": [1, 2], "embedded": [1, 3]}}


@pytest.mark.parametrize(
    ("value", "data", "wrong"),
    [
        (1.55, "full", 0),
        (1.65, "full", 1),  # too far from the stored value
        (2.05, "full", 2),  # outside the band as well
        (2.5, "embedded", 0),
        (3.5, "embedded", 1),
        (float("nan"), "full", 2),
    ],
)
def test_recorded_numbers_are_held_to_tolerance_and_band(value, data, wrong):
    found = compare_records.problems({"nll": 1.5}, {"nll": value}, BANDS, data)
    assert len(found) == wrong


def test_recorded_names_must_agree():
    stored, other = {"nll": 1.5}, {"kl": 1.5}
    for triple in [(stored, other, BANDS), (other, other, BANDS), (stored, stored, {})]:
        assert "names differ" in compare_records.problems(*triple, "full")[0]


# Each rule for notebooks notices its own fault


def good_notebook():
    record = {
        "data": {compare_records.MIME: {"chapter": "x/y", "values": {"a": 1.0}}},
        "output_type": "display_data",
    }
    image = new_output("display_data", {"image/png": "AAAA", "text/plain": "<Figure>"})
    figure = {
        "tags": [],
        "mystnb": {
            "image": {"alt": "A line that rises from left to right."},
            "figure": {"caption": "The loss grows.", "name": "fig-loss"},
        },
    }
    solution = {
        "tags": ["solution", "hide-cell"],
        "cellView": "form",
        "jupyter": {"source_hidden": True},
    }
    cells = [
        new_markdown_cell("# Title\n\n$$ a \\tag{1} $$\n\nSee [(1)](#eq-1)."),
        new_code_cell(setup_cell(repository()), metadata={"tags": ["setup"]}),
        new_code_cell("plot()", metadata=figure, outputs=[image]),
        new_markdown_cell("## Exercises"),
    ]
    for n in range(1, 5):
        cells += [
            new_markdown_cell(f"### Exercise {n}: try it"),
            new_code_cell(f"#@title Solution {n}\nassert {n}", metadata=solution),
        ]
    cells += [
        new_markdown_cell("## The three things\n\n## Further reading"),
        new_code_cell("record('x/y', {'a': 1})", outputs=[new_output(**record)]),
    ]
    notebook = new_notebook(cells=cells)
    for count, cell in enumerate(notebook_rules.code_cells(notebook), 1):
        cell["execution_count"] = count
    notebook["metadata"]["companion"] = dict.fromkeys(notebook_rules.STAMP, "x") | {
        "data": "full",
        "fingerprint": fingerprint(notebook),
    }
    return nbformat.from_dict(copy.deepcopy(notebook))


@pytest.mark.parametrize("rule", notebook_rules.RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_keeps_every_rule(rule):
    assert list(rule(good_notebook())) == []


def figure_cell(notebook):
    return notebook_rules.code_cells(notebook)[1]


def add_output(notebook, output):
    figure_cell(notebook)["outputs"].append(nbformat.from_dict(output))


def stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


FAULTS = {
    "stale code": (
        "stamped_and_fresh",
        lambda n: figure_cell(n).update(source="x = 2"),
    ),
    "embedded data": (
        "stamped_and_fresh",
        lambda n: n["metadata"]["companion"].update(data="embedded"),
    ),
    "no stamp": ("stamped_and_fresh", lambda n: n["metadata"].pop("companion")),
    "unrun cell": (
        "ran_from_top_to_bottom",
        lambda n: figure_cell(n).update(execution_count=None),
    ),
    "stored error": (
        "clean_outputs",
        lambda n: add_output(
            n, {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
        ),
    ),
    "standard error": ("clean_outputs", lambda n: add_output(n, stream("stderr", "x"))),
    "printed warning": (
        "clean_outputs",
        lambda n: add_output(n, stream("stdout", "UserWarning: odd")),
    ),
    "machine's path": (
        "clean_outputs",
        lambda n: add_output(n, stream("stdout", "in /home/ada/x")),
    ),
    "other set-up cell": (
        "generated_setup_cell",
        lambda n: n["cells"][1].update(source="import companion"),
    ),
    "wide line": ("short_code", lambda n: figure_cell(n).update(source="x" * 73)),
    "long cell": ("short_code", lambda n: figure_cell(n).update(source="x\n" * 16)),
    "long def": (
        "short_code",
        lambda n: figure_cell(n).update(source="def f():\n" + "    x\n" * 10),
    ),
    "three exercises": (
        "exercises_with_solutions",
        lambda n: n["cells"].__delitem__(slice(10, 12)),
    ),
    "no solution": (
        "exercises_with_solutions",
        lambda n: n["cells"][5].update(source="pass"),
    ),
    "open solution": (
        "exercises_with_solutions",
        lambda n: n["cells"][5]["metadata"].pop("cellView"),
    ),
    "no alt text": (
        "described_figures",
        lambda n: figure_cell(n)["metadata"]["mystnb"].pop("image"),
    ),
    "alt text is caption": (
        "described_figures",
        lambda n: figure_cell(n)["metadata"]["mystnb"]["figure"].update(
            caption="A line that rises, from left to right"
        ),
    ),
    "no caption": (
        "described_figures",
        lambda n: figure_cell(n)["metadata"]["mystnb"].pop("figure"),
    ),
    "two images": (
        "described_figures",
        lambda n: add_output(n, figure_cell(n)["outputs"][0]),
    ),
    "large notebook": (
        "small_enough",
        lambda n: add_output(n, stream("stdout", "x" * 1_500_000)),
    ),
    "large animation": (
        "small_enough",
        lambda n: figure_cell(n)["outputs"][0]["data"].update(
            {"image/gif": "A" * 700_000}
        ),
    ),
    "equation numbers": (
        "numbered_equations",
        lambda n: n["cells"][3].update(source="$$ b \\tag{3} $$"),
    ),
    "dead equation link": (
        "numbered_equations",
        lambda n: n["cells"][3].update(source="[(7)](#eq-7)"),
    ),
    "second title": ("usual_parts", lambda n: n["cells"][3].update(source="# Two")),
    "no further reading": (
        "usual_parts",
        lambda n: n["cells"][-2].update(source="## The three things"),
    ),
    "no record": ("usual_parts", lambda n: n["cells"][-1].update(outputs=[])),
}


@pytest.mark.parametrize(("rule", "spoil"), FAULTS.values(), ids=FAULTS)
def test_rule_notices(rule, spoil):
    notebook = good_notebook()
    spoil(notebook)
    assert list(getattr(notebook_rules, rule)(notebook)) != []
