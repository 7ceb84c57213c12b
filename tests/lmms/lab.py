"""Small local copies of official benchmarks, made of composed scenes.

``python -m tests.lmms.lab FOLDER`` writes them below a folder as lmms-eval's own task files look
for them; it needs the package ``datasets``, so it runs where lmms-eval is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Image, Sequence, Value

from pruneviz.evaluation import Case, load_cases

MANY = 8
"""Questions of each benchmark."""
GQA_HEAD = """---
configs:
- config_name: testdev_balanced_instructions
  data_files: [{split: testdev, path: instructions.parquet}]
- config_name: testdev_balanced_images
  data_files: [{split: testdev, path: images.parquet}]
---
"""
TEXT = Value("string")


def main(folder: Path) -> None:
    """Write POPE, MME, GQA and TextVQA."""
    cases = load_cases("scenes:160")
    exists = [case for case in cases if case.kind == "exists"]
    others = [case for case in cases if case.kind in ("place name", "what", "count")]
    home = folder / "lmms-lab-encoder"
    _write(home / "POPE" / "data" / "test-00000.parquet", _yes_no(exists[:MANY]))
    # MME asks two questions a picture; its score counts pairs.
    pairs = [row | {"question_id": str(n // 2)} for n, row in enumerate(_yes_no(exists[:MANY]))]
    _write(home / "MME" / "data" / "test-00000.parquet", [r | {"category": "count"} for r in pairs])
    _gqa(home / "GQA", others[:MANY])
    rows = [
        _row(case) | {"question_id": n, "answers": [_said(case)] * 9 + ["nothing"]}
        for n, case in enumerate(others[MANY : 2 * MANY])
    ]
    _write(home / "textvqa" / "data" / "validation-00000.parquet", rows)


def _gqa(home: Path, cases: list[Case]) -> None:
    """Pictures and questions lie apart there."""
    rows = [_row(case) | {"imageId": case.picture.label, "id": case.name} for case in cases]
    pictures = {row["imageId"]: {"id": row["imageId"], "image": row["image"]} for row in rows}
    _write(home / "images.parquet", list(pictures.values()))
    _write(
        home / "instructions.parquet", [{k: v for k, v in r.items() if k != "image"} for r in rows]
    )
    (home / "README.md").write_text(GQA_HEAD, encoding="utf-8")


def _yes_no(cases: list[Case]) -> list[dict[str, Any]]:
    return [
        _row(case) | {"question_id": str(n), "answer": _said(case).split(",")[0]}
        for n, case in enumerate(cases)
    ]


def _row(case: Case) -> dict[str, Any]:
    return {"image": case.picture.read(), "question": case.question, "answer": _said(case)}


def _said(case: Case) -> str:
    return case.truth.answers[0]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = {"image": Image(), "answers": Sequence(TEXT), "question_id": None}
    features = {
        name: kinds.get(name) or (Value("int64") if isinstance(rows[0][name], int) else TEXT)
        for name in rows[0]
    }
    columns = {name: [row[name] for row in rows] for name in features}
    Dataset.from_dict(columns, Features(features)).to_parquet(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
