"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("proto", "sdk", "storage", "ingest")

MAX_LINES = 400
LONGER = {
    "proto/headrace_proto/v1/models_pb2.pyi": "generated",
    "proto/headrace_proto/v1/models_pb2_grpc.py": "generated",
    "proto/headrace_proto/v1/tracking.proto": "the manual of one service",
    "proto/headrace_proto/v1/tracking_pb2.pyi": "generated",
    "proto/headrace_proto/v1/tracking_pb2_grpc.py": "generated",
}

# The brackets keep this file from finding itself.
FORBIDDEN = {
    "a package registry's address": re.compile(r"py[p]i\.org|python[h]osted|index[-]url|find[-]links"),
    "a path of somebody's machine": re.compile(r"/[r]oot/|/[h]ome/\w|/[U]sers/|/[w]ork/|/[t]mp/w/"),
}


def tracked() -> list[Path]:
    """The files of the repository, new ones included, that hold text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()]


def sources(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def test_files_are_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in tracked()
        if path.suffix != ".svg"
        and path.parent != ROOT / "docs" / "benchmarks" / "results"  # programs write these
    }
    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_LINES and name not in LONGER}
    assert not too_long, "split them, or give the reason in LONGER"
    assert not [name for name in LONGER if lengths.get(name, MAX_LINES + 1) <= MAX_LINES], "no longer needed"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_of_one_machine_is_committed(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-mlflow.txt"])
def test_constraints_are_names_and_versions(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    assert pins == sorted(pins, key=str.lower)


def test_every_environment_variable_is_documented_and_every_documented_one_is_read() -> None:
    name = re.compile(r"\bHEADRACE_[A-Z_]+[A-Z]\b")
    read = {found for path in sources(*PACKAGES) for found in name.findall(path.read_text())}
    documented = set(name.findall((ROOT / "docs" / "operations.md").read_text()))
    assert read == documented


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        path
        for path in sources(*PACKAGES)
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_links_between_documents_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:)([^)#\s]+)")
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked()
        if path.suffix == ".md"
        for target in link.findall(path.read_text())
        if not (path.parent / target).exists()
    ]
    assert not broken


def test_files_that_documents_name_exist() -> None:
    named = re.compile(r"`((?:proto|sdk|storage|ingest|tests|docs|examples|benchmarks)/[\w./-]*\w)`")
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked()
        if path.suffix == ".md"
        for name in named.findall(path.read_text())
        if not (ROOT / name).exists()
    ]
    assert not missing


def test_the_readme_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)
    assert targets[:2] == ["run", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("0*.md"))
