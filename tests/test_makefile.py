"""The Makefile and .ci/run in a folder whose name has spaces, beside other folders.

The environment's programs are stand-ins that write down how they were called.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from notebooks import ROOT
from processes import SIDE_BY_SIDE

NAME = "Learning to Draw ü"
NEIGHBOURS = ("Learning", "to", "Draw")
ENVIRONMENT = ("COMPANION_RECORDS", "COMPANION_DATA", "COMPANION_OFFLINE")
ENVIRONMENT += tuple(SIDE_BY_SIDE)
# Writes one record for each call: arguments, then the variables of ENVIRONMENT.
STAND_IN = f"""#!/bin/sh
{{
    printf '%s\\0' "$@"
    printf '\\036'
    for name in {" ".join(ENVIRONMENT)}; do
        eval "value=\\${{$name-}}"
        printf '%s\\0' "$name=$value"
    done
    printf '\\035'
}} >> "$CALLS"
case "$*" in
    *"${{FAILING:-no such call}}"*) exit 3 ;;
    *longest_first*) echo book/b.ipynb; echo book/a.ipynb ;;
    "build ."*) mkdir -p _build/html ;;
esac
"""


class Project:
    """A copy of the Makefile and of what it reads, with a stand-in environment."""

    def __init__(self, parent: Path, environment: str = ".venv"):
        self.folder = parent / NAME
        for name in NEIGHBOURS:
            (parent / name).mkdir()
            (parent / name / "file").write_text("kept")
        for name in ("Makefile", "pyproject.toml", "constraints.txt", "_config.yml"):
            self.write(name, (ROOT / name).read_text("utf-8"))
        for name in ("_toc.yml", "book/a.ipynb", "book/Untitled 1.ipynb"):
            self.write(name, "")
        shutil.copytree(ROOT / ".ci", self.folder / ".ci")
        self.write("tools/stages.py", (ROOT / "tools/stages.py").read_text("utf-8"))
        self.write("_build/records/old.json", "{}")
        self.write("_build/other/file", "kept")
        self.environment = environment
        for name in ("python3", "jupyter-book"):
            self.program(f"{environment}/bin/{name}", STAND_IN)
        self.log = parent / "calls"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def program(self, name: str, text: str) -> None:
        self.write(name, text).chmod(0o755)

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess:
        """Run a command in the folder, without what a make around it may have set."""
        usual = {
            "PATH": os.environ["PATH"],
            "PYTHON": sys.executable,
            "CALLS": str(self.log),
        }
        return subprocess.run(
            command,
            cwd=self.folder,
            env=usual | variables,
            capture_output=True,
            text=True,
        )

    def make(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        return self.run("make", f"VENV={self.environment}", *arguments, **variables)

    def calls(self) -> list[tuple[list[str], dict[str, str]]]:
        """The arguments and the environment of each call of a stand-in."""
        found = []
        for record in self.log.read_text("utf-8").split("\035")[:-1]:
            parts = [part.split("\0")[:-1] for part in record.split("\036")]
            found.append((parts[0], dict(line.split("=", 1) for line in parts[1])))
        return found

    def files(self) -> set[str]:
        parent = self.folder.parent
        return {str(p.relative_to(parent)) for p in parent.rglob("*") if p.is_file()}


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def has_arguments(project, *wanted):
    """Whether a call had these arguments, in this order and next to each other."""
    return any(
        tuple(arguments[start : start + len(wanted)]) == wanted
        for arguments, _ in project.calls()
        for start in range(len(arguments))
    )


TARGETS = {
    "install": ("-c", "constraints.txt", "-e", ".[book,test]"),
    "book": ("build", ".", "--path-output", ".", "--all"),
    "lint": ("-m", "ruff", "check", "."),
    "unit": ("-m", "pytest", "-n", "2"),
    "pages": ("-m", "pytest", "tests/test_book_pages.py"),
    "notebooks": ("--nbval-cell-timeout=1200", "book/b.ipynb", "book/a.ipynb"),
    "embedded": (
        "tools/longest_first.py",
        "book/pictures/data.ipynb",
        "book/vae/autoencoder.ipynb",
    ),
    "full": ("-n", "2", "--dist", "loadfile", "tests/full"),
    "test-browser": ("-n", "2", "--dist", "worksteal", "tests/browser"),
    "execute": ("tools/execute.py",),
    "setup-cells": ("tools/setup_cells.py",),
    "test": ("tools/compare_records.py", "_build/records"),
}


@pytest.mark.parametrize("environment", [".venv", "an environment", "{absolute}"])
@pytest.mark.parametrize("target", TARGETS)
def test_targets_keep_to_their_folder(tmp_path, target, environment):
    absolute = str(tmp_path / NAME / "environment")
    project = Project(tmp_path, environment.format(absolute=absolute))
    before = project.files()
    done = project.make(target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert has_arguments(project, *TARGETS[target]), project.calls()
    for arguments, _ in project.calls():
        for argument in arguments:
            assert "Draw" not in argument or NAME in argument, arguments
    removed = before - project.files()
    records = target in ("notebooks", "test")
    assert removed == ({f"{NAME}/_build/records/old.json"} if records else set())


def test_versions_have_environments_of_their_own(project):
    for version in ("2.6", "2.11"):
        for name in ("python3", "jupyter-book"):
            project.program(f"_build/torch-{version}/bin/{name}", STAND_IN)
    assert project.make("test-versions").returncode == 0
    for version, vision in (("2.6", "0.21"), ("2.11", "0.26")):
        assert has_arguments(
            project,
            f"torch~={version}.0",
            f"torchvision~={vision}.0",
            "-e",
            ".[book,test]",
        )
    assert not has_arguments(project, "-c", "constraints.txt")


def test_clean_keeps_the_environment_and_the_neighbours(project):
    before = project.files()
    assert project.make("clean").returncode == 0
    removed = {name.removeprefix(f"{NAME}/") for name in before - project.files()}
    assert removed == {"_build/records/old.json", "_build/other/file"}


def test_records_and_missing_data_have_whole_addresses(project):
    project.make("notebooks", COMPANION_DATA="/somewhere else")
    folder = project.folder / "_build"
    (run,) = [
        variables for arguments, variables in project.calls() if "pytest" in arguments
    ]
    assert run["COMPANION_RECORDS"] == str(folder / "records")
    assert run["COMPANION_DATA"] == "/somewhere else"
    assert run["COMPANION_OFFLINE"] == ""
    project.log.unlink()
    project.make("embedded", COMPANION_DATA="/somewhere else")
    notebooks, data_tests = [
        variables for arguments, variables in project.calls() if "pytest" in arguments
    ]
    assert notebooks["COMPANION_RECORDS"] == str(folder / "records-embedded")
    for variables in (notebooks, data_tests):
        assert variables["COMPANION_DATA"] == str(folder / "no-data")
        assert variables["COMPANION_OFFLINE"] == "1"
    assert list((folder / "no-data").iterdir()) == []


@pytest.mark.parametrize("target", ["unit", "notebooks", "embedded", "full", "execute"])
def test_processes_have_one_thread(project, target):
    two = dict.fromkeys(SIDE_BY_SIDE, "2")
    assert project.make(target, **two).returncode == 0
    for _, variables in project.calls():
        assert {name: variables[name] for name in SIDE_BY_SIDE} == SIDE_BY_SIDE


def test_number_of_workers(project):
    project.make("JOBS=7", "unit")
    assert has_arguments(project, "-n", "7")


def test_notebooks_that_cannot_be_listed_are_not_run(project):
    done = project.make("notebooks", FAILING="longest_first")
    assert done.returncode != 0
    assert not has_arguments(project, "-m", "pytest")


def test_the_readme_gives_the_same_options(project):
    assert project.make("unit", "notebooks").returncode == 0
    ours = [set(arguments) for arguments, _ in project.calls()]
    readme = (ROOT / "README.md").read_text("utf-8").replace("\\\n", " ")
    commands = re.findall(r"\n    \.venv/bin/python -m (pytest .*)", readme)
    assert len(commands) == 2
    for command in commands:
        assert any(set(command.split()) - {"book"} <= call for call in ours), command


def test_where_the_book_lies_is_one_link(project):
    project.make("book")
    code = next(a[1] for a, _ in project.calls() if a[0] == "-c" and "as_uri" in a[1])
    printed = project.run(sys.executable, "-c", code).stdout.strip()
    assert printed.endswith("/Learning%20to%20Draw%20%C3%BC/_build/html/index.html")


def stages(text: str) -> dict[str, str]:
    """The last table in a text: from each stage to its remark."""
    rows = text[text.rindex("\nstage ") :].strip().splitlines()[1:]
    return {row.split()[0]: " ".join(row.split()[2:]) for row in rows}


def test_stages_are_timed(project):
    done = project.make("test", "STAGES=lint unit")
    assert done.returncode == 0
    assert stages(done.stdout) == {"lint": "", "unit": "", "all": ""}


def test_the_stage_that_failed_is_named_and_the_last_one(project):
    done = project.make("test", FAILING="--ignore=tests/test_book_pages.py")
    assert done.returncode != 0
    assert stages(done.stdout) == {
        "install": "",
        "lint": "",
        "unit": "FAILED",
        "pages": "not run",
        "notebooks": "not run",
        "all": "",
    }
    assert not has_arguments(project, "tools/longest_first.py")


@pytest.fixture
def ci(project, tmp_path):
    """Run .ci/run from elsewhere, with a stand-in browser."""
    project.program("programs/chromium", "#!/bin/sh\n")
    temporary = tmp_path / "a place"
    temporary.mkdir()

    def run(**variables):
        path = f"{project.folder / 'programs'}:{os.environ['PATH']}"
        variables = {"PATH": path, "TMPDIR": str(temporary)} | variables
        done = project.run("bash", "-c", 'cd /; bash "$OLDPWD/.ci/run"', **variables)
        assert list(temporary.iterdir()) == []
        return done

    return run


def test_ci_runs_every_stage_with_the_data(project, ci, tmp_path):
    unpack = tmp_path / "shared/data/unpack"
    unpack.parent.mkdir(parents=True)
    unpack.write_text('#!/bin/sh\n[ $# = 1 ] && mkdir "$1"\n')
    unpack.chmod(0o755)
    done = ci()
    assert done.returncode == 0, done.stdout + done.stderr
    expected = "install lint unit pages full test-browser embedded notebooks all"
    assert list(stages(done.stdout)) == expected.split()
    assert re.search(r"ready after \d+ s\.", done.stdout)
    data = project.calls()[0][1]["COMPANION_DATA"]
    assert data.startswith(str(tmp_path / "a place")) and data.endswith("/data")


def test_ci_without_the_data(ci):
    done = ci(FAILING="tests/browser")
    assert done.returncode != 0
    assert list(stages(done.stdout)) == (
        "install lint unit pages test-browser embedded notebooks all".split()
    )
    assert stages(done.stdout)["test-browser"] == "FAILED"
