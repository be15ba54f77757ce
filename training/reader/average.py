"""Averages the weights of several trained readers: often better than each (Wortsman et al. 2022).

    python -m training.reader.average A.safetensors B.safetensors --out MEAN.safetensors

They must come from one start, or their mean is nonsense: here the second run goes on from the
first with another seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from training.embedder_graph import Array


def average(files: Sequence[Path]) -> dict[str, Array]:
    """Return the mean of the tensors of each name.

    Raises:
        ValueError: If the files do not hold tensors of the same names and shapes.
    """
    loaded = [load_file(path) for path in files]
    shapes = [{name: array.shape for name, array in weights.items()} for weights in loaded]
    for path, shape in zip(files, shapes, strict=True):
        if shape != shapes[0]:
            raise ValueError(f"{path} holds other tensors than {files[0]}")
    return {name: _mean([weights[name] for weights in loaded]) for name in loaded[0]}


def _mean(arrays: Sequence[Array]) -> Array:
    mean: Array = np.stack(arrays).mean(axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the mean; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", type=Path, nargs="+", help="safetensors files of readers")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    args = parser.parse_args(argv)
    try:
        mean = average(args.weights)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    save_file(mean, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
