"""What goes wrong with files under `save_on_disk` is said by name, and leaves no hooks behind."""

from __future__ import annotations

import gc
import shutil

import numpy as np
import pytest
import rustgrad as rg
from rustgrad.autograd.graph import save_on_disk


def x():
    return rg.ones(10, requires_grad=True)


def test_a_directory_that_is_none(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for path in (tmp_path / "missing", file):
        with pytest.raises(FileNotFoundError, match="save_on_disk: there is no directory"):
            save_on_disk(path)


def test_a_directory_that_goes_before_it_is_written_to(tmp_path):
    where = tmp_path / "gone"
    where.mkdir()
    hooks = save_on_disk(where, min_bytes=0)
    where.rmdir()
    with pytest.raises(FileNotFoundError, match=r"save_on_disk: cannot write .* exists"), hooks:
        x().sin()
    assert x().sin().requires_grad  # the hooks are off again


def test_a_directory_that_cannot_be_written_to(tmp_path, monkeypatch):
    def refused(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "save", refused)  # permissions themselves do not bind every user
    with pytest.raises(PermissionError, match=r"save_on_disk: cannot write"), save_on_disk(tmp_path, min_bytes=0):
        x().sin()


def saved_in(where):
    with save_on_disk(where, min_bytes=0):
        return x().sin().exp().sum()


def test_a_file_that_was_deleted(tmp_path):
    where = tmp_path / "saved"
    where.mkdir()
    y = saved_in(where)
    shutil.rmtree(where)
    with pytest.raises(OSError, match=r"save_on_disk: cannot read"):
        y.backward()


def test_a_file_that_was_cut_short(tmp_path):
    y = saved_in(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"save_on_disk: cannot read .* \(the file is damaged\)"):
        y.backward()


def test_a_file_that_could_not_be_finished(tmp_path, monkeypatch):
    def full(file, *_, **__):
        file.write(b"some")
        raise OSError("100 requested and 4 written")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match=r"^save_on_disk: .* \(100 requested and 4 written\)"):
        saved_in(tmp_path)
    gc.collect()
    assert not list(tmp_path.iterdir())
