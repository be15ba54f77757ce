"""The mean of two readers' weights; readers that do not fit together are refused."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="needs the extra `train`")

from safetensors.numpy import load_file, save_file

from training.reader.average import average, main


def test_the_mean_of_each_tensor(tmp_path):
    for name, value in (("a", 1.0), ("b", 2.0), ("c", 6.0)):
        save_file({"heads.bias": np.full(3, value, np.float32)}, tmp_path / name)
    paths = [str(tmp_path / name) for name in "abc"]
    assert main([*paths, "--out", str(tmp_path / "mean")]) == 0
    mean = load_file(tmp_path / "mean")["heads.bias"]
    assert mean.dtype == np.float32
    assert mean.tolist() == [3.0, 3.0, 3.0]


def test_what_does_not_fit_is_refused(tmp_path, capsys):
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "a")
    save_file({"x": np.zeros(4, np.float32)}, tmp_path / "b")
    with pytest.raises(ValueError, match="b holds other tensors than"):
        average([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(SystemExit):
        main([str(tmp_path / "a"), str(tmp_path / "missing"), "--out", str(tmp_path / "out")])
    assert "missing" in capsys.readouterr().err
