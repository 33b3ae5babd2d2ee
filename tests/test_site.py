"""The documents as a site."""

import os
import re
import subprocess
import sys

import pytest

import tf_darts
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; every warning is an error (`strict` in mkdocs.yml)."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", f"--site-dir={folder}"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.slow
def test_every_document_and_every_public_name_has_a_place(site):
    pages = {path.parent.name for path in site.rglob("index.html")}
    assert {file.stem for file in ROOT.glob("docs/*.md")} - {"index"} <= pages
    text = "".join(path.read_text("utf-8") for path in (site / "reference").rglob("index.html"))
    ids = set(re.findall(r'id="([\w.]+)"', text))
    entries = {name.rpartition(".")[2].lower() for name in ids}
    assert {name.lower() for name in tf_darts.__all__} <= entries
    assert "check_method" in entries and "nasbench201" in entries


def test_the_navigation_has_every_document():
    """mkdocs only informs about a document that it leaves out."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"- ([\w/]+\.md)", navigation)
    files = [file.relative_to(ROOT / "docs").as_posix() for file in ROOT.glob("docs/**/*.md")]
    assert sorted(named) == sorted(files)
