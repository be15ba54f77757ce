"""What a run prints and writes."""

from __future__ import annotations

import json

from benchmarks.reach.calibration import Bin
from benchmarks.reach.intervals import Estimate
from benchmarks.reach.table import Measure, Report, written

FIGURE = Estimate(0.61549, 0.6, 0.631, 10)


def test_figures_are_written_in_their_unit():
    assert written(FIGURE, "%") == "61.5 [60.0, 63.1]"
    assert written(FIGURE, "ratio") == "0.62 [0.60, 0.63]"
    assert written(Estimate(240.4, 230, 251, 15), "ms") == "240 [230, 251]"
    assert written(None, "%") == "–"


def test_the_report(tmp_path):
    report = Report(models={"reader": "r-1", "other": "o-1"}, notes=["A note."])
    report.measures.append(Measure("F1", {"reader": FIGURE}, bar="65"))
    report.reliability["dev"] = {"reader": [Bin(low=0.3, n=2, confidence=0.34, right=0.5)]}
    lines = report.markdown().splitlines()
    assert lines[:3] == [
        "| measure | reader | other | first bar | aim |",
        "| --- | --- | --- | --- | --- |",
        "| F1 | 61.5 [60.0, 63.1] | – | 65 | – |",
    ]
    assert {"- reader: r-1", "- A note.", "| 0.3–0.4 | 0.34 → 0.50 (2) |"} <= {*lines}
    report.write_json(tmp_path / "report.json")
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["measures"][0]["cells"]["reader"]["low"] == 0.6
    assert values["reliability"]["dev"]["reader"][0]["n"] == 2
