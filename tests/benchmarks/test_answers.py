"""The command, over sets of a few questions."""

from __future__ import annotations

import gzip
import json

import pytest

from benchmarks import answers
from benchmarks.reach.questions import NEWS_FILE, SQUAD_FILE

CONTEXT = "The bridge over the Ister opened on 3 June. Mayor Ana Ruiz cut a blue ribbon there."


@pytest.fixture
def data(tmp_path):
    row = {
        "question": "Who cut the ribbon at the bridge?",
        "context": CONTEXT,
        "answers": [{"text": "Mayor Ana Ruiz", "start": 44}],
        "impossible": False,
        "title": "Bridge",
        "source": "made up",
    }
    impossible = {**row, "question": "Who paid?", "answers": [], "impossible": True}
    for name, rows in ((SQUAD_FILE, [row, impossible]), (NEWS_FILE, [row])):
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(item) + "\n" for item in rows)
    return tmp_path


def test_the_table_of_the_sets(data, capsys):
    out = data / "out.json"
    command = ["--data", str(data), "--only", "squad", "open", "news", "--json", str(out)]
    assert answers.main([*command, "--verbose"]) == 0
    rows = capsys.readouterr().out.splitlines()
    measures = {item["name"]: item for item in json.loads(out.read_text())["measures"]}
    assert {row.split(" | ")[0] for row in rows} >= {f"| {name}" for name in measures}
    open_recall = measures["SQuAD 2.0, open: paragraph among the 24"]["cells"]
    assert open_recall["evidence sentences"]["value"] == 1
    news = measures["OneStopQA, open: evidence right at 1"]
    assert (news["bar"], news["aim"]) == ("65", "85")
    assert news["cells"]["evidence sentences"]["value"] == 1


def test_without_data_it_says_what_to_give(capsys):
    assert answers.main(["--only", "news"]) == 0
    assert "--data" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"), [(["--data", "/nowhere"], "/nowhere"), (["--limit", "0"], "--limit")]
)
def test_bad_arguments_are_explained(command, said, capsys):
    with pytest.raises(SystemExit) as error:
        answers.main(command)
    assert error.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
