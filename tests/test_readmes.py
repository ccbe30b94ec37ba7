"""Every README.md: its Python runs, and its links and images lead somewhere."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest
from source_tree import ROOT

from minidiff.explain.figures import NAMES

TREES = (ROOT.parent, Path(__file__).parents[1])  # of the installed package and of these tests: often the same
WHERE = ("README.md", "benchmarks/README.md", "weights/README.md", "minidiff/*/README.md")
PATHS = {path.relative_to(tree).as_posix(): path
         for tree in TREES for pattern in WHERE for path in sorted(tree.glob(pattern))}
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
EXCERPT = re.compile(r"^ *\.\.\.$", re.MULTILINE)
READMES = {name: path.read_text("utf-8") for name, path in PATHS.items()}
LISTED = [folder for folder in FOLDERS if "\n## The files" in READMES.get(f"minidiff/{folder}/README.md", "")]
SNIPPETS = [(name, code) for name, text in READMES.items()
            for code in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]


@pytest.mark.parametrize(("name", "code"), SNIPPETS, ids=[name for name, _ in SNIPPETS])
def test_python_in_a_readme_runs(name, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if EXCERPT.search(code):  # of a file that is shown in part
        ast.parse(code)
    else:
        exec(compile(code, name, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("name", READMES)
def test_links_and_images_of_a_readme_lead_somewhere(name):
    prose = re.sub(r"^```.*?^```|\$.*?\$", "", READMES[name], flags=re.DOTALL | re.MULTILINE)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    targets = [os.path.normpath(Path(name).parent / link) for link in links if link]
    assert [target for target in targets if not any((tree / target).exists() for tree in TREES)] == []
    assert name != "weights/README.md" or all(target.startswith("weights") for target in targets)  # installed alone


@pytest.mark.parametrize("name", READMES)
def test_a_line_of_code_that_a_readme_quotes_is_in_the_source(name):
    prose = re.sub(r"^```.*?^```", "", READMES[name], flags=re.DOTALL | re.MULTILINE)
    quoted = re.findall(r"(?<=\n\n)    (\w.*)(?=\n\n)", prose)
    source = "".join(path.read_text("utf-8") for path in ROOT.rglob("*.py"))
    assert [line for line in quoted if line not in source] == []
    assert quoted or name != "minidiff/pipeline/README.md"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_explains_itself_on_a_few_screens(folder):
    text = READMES[f"minidiff/{folder}/README.md"]
    assert len(text.splitlines()) <= 220
    assert "```python\n" in text
    assert max(len(code.splitlines()) for name, code in SNIPPETS if name == f"minidiff/{folder}/README.md") <= 20
    assert ("](figure.png)" in text) == (folder in NAMES)
    assert f"](minidiff/{folder}/README.md)" in READMES["README.md"]


@pytest.mark.parametrize("folder", LISTED)
def test_a_table_of_files_names_all(folder):
    files = {path.name for path in (ROOT / folder).glob("*.py")}
    linked = {*re.findall(r"\]\((\w+\.py)\)", READMES[f"minidiff/{folder}/README.md"])}
    assert files - linked <= {"__init__.py", "__main__.py"}


def test_the_first_page_stays_short():
    assert len(READMES["README.md"].splitlines()) < 200


def test_cuda_in_a_readme_is_that_of_a_kernel():
    sources = "".join(path.read_text("utf-8") for path in ROOT.rglob("*.cu"))
    shown = re.findall(r"^```cuda\n(.*?)^```", READMES["minidiff/kernels/README.md"], re.DOTALL | re.MULTILINE)
    assert shown and [code for code in shown if code not in sources] == []


def test_formulas_are_closed():
    odd = {name for name, text in READMES.items() if re.sub(r"```.*?```", "", text, flags=re.DOTALL).count("$$") % 2}
    assert odd == set()
