"""The set-up cell and the buttons: where they lead, and whether they install."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from book_pages import name_repository, report_link
from nbformat.v4 import new_code_cell, new_notebook
from notebooks import ROOT, Repository, is_placeholder, read, repository, write
from setup_cells import LOCAL, setup_cell, write_setup_cell

OURS = ("companion", "learning_to_draw", "__editable__")
PLACEHOLDER = Repository("https://github.com/OWNER/learning-to-draw", "main")
REAL = Repository("https://github.com/ada/learning-to-draw", "colab")
# Run by the environment without the companion; its kernel is of that environment.
EXECUTE = """\
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
nbformat.write(notebook, sys.argv[1])
"""
MISSING = """\
import importlib.util
print(importlib.util.find_spec("companion"))"""
WHERE = """\
import companion.data
print(companion.__file__)"""


# The set-up cell and the buttons, in both states of the repository's address


def test_set_up_cell_names_the_local_remedy_while_the_owner_is_a_placeholder():
    cell = setup_cell(PLACEHOLDER)
    assert "make book" in cell and "%pip" not in cell
    assert is_placeholder(PLACEHOLDER.url)


def test_set_up_cell_installs_what_is_missing_once_the_owner_is_real():
    cell = setup_cell(REAL)
    assert f'%pip install -q "learning-to-draw @ git+{REAL.url}@colab"' in cell
    assert not is_placeholder(REAL.url)
    assert len(cell.splitlines()) <= 8


@pytest.fixture
def chapter(tmp_path):
    path = tmp_path / "chapter.ipynb"
    first = new_code_cell("old text", metadata={"tags": ["setup"]})
    write(path, new_notebook(cells=[first, new_code_cell("1 + 1")]))
    return path


@pytest.mark.parametrize("published", [PLACEHOLDER, REAL])
def test_set_up_cells_are_rewritten_in_place(chapter, published):
    assert write_setup_cell(chapter, published)
    assert not write_setup_cell(chapter, published)
    sources = [cell["source"] for cell in read(chapter)["cells"]]
    assert sources == [setup_cell(published), "1 + 1"]


def test_set_up_cells_are_written_elsewhere(chapter, tmp_path):
    before = chapter.read_bytes()
    copy = tmp_path / "elsewhere/book/chapter.ipynb"
    assert write_setup_cell(chapter, REAL, copy)
    assert chapter.read_bytes() == before
    assert not write_setup_cell(copy, REAL, tmp_path / "again.ipynb")
    assert (tmp_path / "again.ipynb").read_bytes() == copy.read_bytes()


def test_set_up_cells_need_their_tag(tmp_path):
    path = tmp_path / "chapter.ipynb"
    write(path, new_notebook(cells=[new_code_cell("1 + 1")]))
    with pytest.raises(ValueError, match="tag 'setup'"):
        write_setup_cell(path, PLACEHOLDER)


def test_buttons_and_links_wait_for_a_real_owner():
    for published, shown in [(PLACEHOLDER, False), (REAL, True)]:
        options = {
            "repository_url": published.url,
            "repository_branch": published.branch,
            "launch_buttons": {"colab_url": "x"},
        }
        app = SimpleNamespace(config=SimpleNamespace(html_theme_options=options))
        name_repository(app, app.config)
        assert options["repository_branch"] == published.branch
        assert bool(options["launch_buttons"]) == shown
        link = report_link(app, "book/cnn/training")
        assert ("../errors.html" in link) != shown
        assert (f"{REAL.url}/issues/new" in link) == shown


def test_repository_address_is_cleaned():
    for end in ("", "/", ".git"):
        assert repository({"url": REAL.url + end, "branch": "colab"}) == REAL


def test_the_environment_says_where_the_book_is_published(monkeypatch):
    assert repository(PLACEHOLDER._asdict()) == PLACEHOLDER
    monkeypatch.setenv("BOOK_REPOSITORY", REAL.url)
    assert repository(PLACEHOLDER._asdict()) == REAL._replace(branch="main")
    monkeypatch.setenv("BOOK_BRANCH", "colab")
    assert repository(PLACEHOLDER._asdict()) == repository() == REAL


@pytest.mark.parametrize("url", ["ada/drawing", "https://github.com/ada"])
def test_a_wrong_address_is_named(monkeypatch, url):
    monkeypatch.setenv("BOOK_REPOSITORY", url)
    with pytest.raises(ValueError, match=url):
        repository()


# In one living kernel, without the companion at first and without the network


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What a clone holds of the package, in a folder that may be written."""
    folder = tmp_path_factory.mktemp("clone") / "learning-to-draw"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "companion", folder / "companion", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-CONTENT.md"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture
def python(tmp_path):
    """The Python of an environment that has all packages here but the companion."""
    packages = tmp_path / "packages"
    packages.mkdir()
    folders = {Path(sysconfig.get_path(n)).resolve() for n in ("purelib", "platlib")}
    for folder in folders:
        for path in folder.iterdir():
            if not path.name.startswith(OURS):
                (packages / path.name).symlink_to(path)
    environment = tmp_path / "environment"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", environment], check=True
    )
    program = environment / "bin/python3"
    site = subprocess.run(
        [program, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (Path(site) / "here.pth").write_text(str(packages))
    return program


def outputs(python: Path, folder: Path, *sources: str) -> list[str]:
    """What cells print that one kernel runs in a folder."""
    path = folder / "chapter.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(s) for s in sources]), path)
    done = subprocess.run(
        [python, "-c", EXECUTE, path.name],
        cwd=folder,
        env=os.environ | {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = nbformat.read(path, as_version=4)["cells"]
    return ["".join(o.get("text", "") for o in cell["outputs"]) for cell in cells]


def test_the_set_up_cell_installs_and_imports_in_one_kernel(tree, python, tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    build += ["--no-build-isolation", "--wheel-dir", tmp_path, tree]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    address = f"git+{REAL.url}@{REAL.branch}"
    cell = setup_cell(REAL)
    assert address in cell
    folder = tmp_path / "empty"
    folder.mkdir()
    cell = cell.replace(address, wheel.as_uri())
    missing, printed, where = outputs(python, folder, MISSING, cell, WHERE)
    assert missing == "None\n"
    assert "PyTorch" in printed
    assert where.startswith(str(tmp_path / "environment"))


def test_the_recipe_by_hand_works_in_one_kernel(tree, python, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"((?:^    [!%].*\n)+)", readme, re.MULTILINE)
    clone, install = textwrap.dedent(recipe).splitlines()
    assert clone.startswith("!git clone ") and clone.endswith("/learning-to-draw")
    shutil.copytree(tree, tmp_path / "learning-to-draw")
    # What a machine without network needs besides.
    here = "%pip install --no-build-isolation"
    install = install.replace("%pip install", here)
    missing, _, printed, where = outputs(
        python, tmp_path, MISSING, install, LOCAL, WHERE
    )
    assert missing == "None\n"
    assert "PyTorch" in printed
    assert where.startswith(str(tmp_path / "environment"))
