"""The commands of the workflows, in a folder whose name has spaces."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from notebooks import ROOT, Repository, code_cells, notebooks, read
from setup_cells import setup_cell

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
}
STEPS = [
    (name, step)
    for name, workflow in WORKFLOWS.items()
    for job in workflow["jobs"].values()
    for step in job["steps"]
]
COMMANDS = [(name, step["run"]) for name, step in STEPS if "run" in step]
ADDRESS = "https://github.com/ada/drawing"


def step(workflow, beginning):
    """The commands of the step whose name begins so."""
    (found,) = [
        step["run"]
        for name, step in STEPS
        if name == workflow and step.get("name", "").startswith(beginning)
    ]
    return found


def unquoted(command: str) -> list[str]:
    """What the shell would split at spaces: variables outside quotes.

    A script in single quotes is looked at like the command around it.
    """
    scripts = re.findall(r"'([^']*)'", command)
    outside = re.sub(r"'[^']*'", "", command)
    outside = re.sub(r'"[^"]*"', "", outside)
    outside = re.sub(r"^\s*\w+=\$\([^()]*\)$", "", outside, flags=re.MULTILINE)
    found = re.findall(r"\$\{?\w+|\$\(", outside)
    return found + [name for script in scripts for name in unquoted(script)]


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_variables_stand_in_quotes(name, command):
    assert unquoted(command) == []


def test_a_variable_without_quotes_is_noticed():
    assert unquoted("rm -rf $PWD/x") == ["$PWD"]
    assert unquoted("bash -c 'cd \"$x\"; rm ${y}'") == ["${y"]
    assert unquoted('rm -rf "$PWD/x"') == []


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_no_expression_is_pasted_into_a_command(name, command):
    """A repository's name or a branch's would otherwise be run as code."""
    assert "${{" not in command


@pytest.fixture
def repository(tmp_path):
    """A clone, in a folder with spaces, of a repository that others can push to."""
    folder = tmp_path / "Learning to Draw ü"
    folder.mkdir()
    for path in [*notebooks(), ROOT / "environment.yml", *ROOT.glob(".github/*/*")]:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.copytree(
        ROOT / "tools",
        folder / "tools",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("_config.yml", "_toc.yml", ".gitignore"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / ".venv/bin").mkdir(parents=True)
    program = folder / ".venv/bin/python3"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", str(tmp_path / "origin"))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def run(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )


def test_the_buttons_branch_is_the_book_with_working_set_up_cells(repository):
    settings = WORKFLOWS["pages"]["env"]
    assert settings["BOOK_REPOSITORY"] == (
        "${{ github.server_url }}/${{ github.repository }}"
    )
    branch = settings["BOOK_BRANCH"]
    variables = {"BOOK_REPOSITORY": ADDRESS, "BOOK_BRANCH": branch}
    done = run(step("pages", "Push the notebooks"), repository, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(repository, "status", "--porcelain") == ""
    origin = repository.parent / "origin"
    there = git(origin, "ls-tree", "-r", "--name-only", branch).splitlines()
    here = git(repository, "ls-files").splitlines()
    assert there == [name for name in here if not name.startswith(".github/")]
    changed = git(repository, "diff", "--name-only", "main", branch).splitlines()
    names = [str(path.relative_to(ROOT)) for path in notebooks()]
    assert sorted(changed) == sorted(names + list(set(here) - set(there)))
    copy = repository.parent / "copy"
    git(origin, "worktree", "add", "--quiet", str(copy), branch)
    for name in names:
        first = code_cells(read(copy / name))[0]["source"]
        assert first == setup_cell(Repository(ADDRESS, branch))


@pytest.mark.parametrize(("answer", "ready"), [("0", True), ("1", False)])
def test_a_repository_without_pages_is_told_what_to_do(tmp_path, answer, ready):
    programs = tmp_path / "programs"
    programs.mkdir()
    gh = programs / "gh"
    gh.write_text(f'#!/bin/sh\n[ "$2" = "repos/ada/drawing/pages" ] && exit {answer}\n')
    gh.chmod(0o755)
    output = tmp_path / "an output"
    output.touch()
    done = run(
        step("pages", "Look whether"),
        tmp_path,
        PATH=f"{programs}:{os.environ['PATH']}",
        GITHUB_REPOSITORY="ada/drawing",
        GITHUB_OUTPUT=str(output),
    )
    assert done.returncode == 0
    assert output.read_text() == ("ready=yes\n" if ready else "")
    assert ("Settings > Pages" in done.stdout) != ready
    assert done.stdout.count("\n") <= 1, "a warning is one line"


def test_only_a_ready_repository_publishes():
    jobs = WORKFLOWS["pages"]["jobs"]
    (upload,) = [s for s in jobs["build"]["steps"] if "-pages-" in s.get("uses", "")]
    assert upload["if"] == "steps.pages.outputs.ready"
    assert jobs["build"]["outputs"] == {"ready": "${{ steps.pages.outputs.ready }}"}
    assert jobs["deploy"]["if"] == "needs.build.outputs.ready"


def test_a_workflow_may_write_only_what_it_must():
    allowed = {
        (name, scope)
        for name, workflow in WORKFLOWS.items()
        for part in [workflow, *workflow["jobs"].values()]
        for scope, right in part.get("permissions", {}).items()
        if right == "write"
    }
    assert allowed == {("pages", s) for s in ("contents", "pages", "id-token")}
