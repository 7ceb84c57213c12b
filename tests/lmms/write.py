"""Writes the small benchmarks where lmms-eval's own task files look for them.

It needs the package ``datasets``, so it runs where lmms-eval is.
"""

from __future__ import annotations

from collections.abc import Sequence as Several
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Image, Sequence, Value

from pruneviz.evaluation import Case, load_cases
from tests.lmms.lab import NOBODY, chosen_cases, truths

HOME = Path("lmms-lab-encoder")
GQA_HEAD = """---
configs:
- config_name: testdev_balanced_instructions
  data_files: [{split: testdev, path: instructions.parquet}]
- config_name: testdev_balanced_images
  data_files: [{split: testdev, path: images.parquet}]
---
"""
TEXT = Value("string")


def main() -> None:
    """Write POPE, MME, GQA and TextVQA below the working directory."""
    rows = {
        task: _rows(task, cases) for task, cases in chosen_cases(load_cases("scenes:160")).items()
    }
    _write("POPE/data/test-00000.parquet", rows["pope"])
    # MME asks two questions a picture; its score counts pairs.
    pairs = [
        row | {"question_id": str(number // 2), "category": "count"}
        for number, row in enumerate(rows["mme"])
    ]
    _write("MME/data/test-00000.parquet", pairs)
    _gqa(rows["gqa"])
    answers = [{"answers": [row["answer"]] * 9 + [NOBODY]} for row in rows["textvqa_val"]]
    whole = [row | more for row, more in zip(rows["textvqa_val"], answers, strict=True)]
    _write("textvqa/data/validation-00000.parquet", whole)


def _rows(task: str, cases: Several[Case]) -> list[dict[str, Any]]:
    return [
        {
            "image": case.picture.read(),
            "question": case.question,
            "question_id": str(number),
            "answer": answer,
        }
        for number, (case, answer) in enumerate(zip(cases, truths(task, cases), strict=True))
    ]


def _gqa(rows: list[dict[str, Any]]) -> None:
    """Pictures and questions lie apart there."""
    pictures = [{"id": row["question_id"], "image": row["image"]} for row in rows]
    names = {"question_id": "imageId", "question": "question", "answer": "answer"}
    words = [{new: row[old] for old, new in names.items()} for row in rows]
    _write("GQA/images.parquet", pictures)
    _write("GQA/instructions.parquet", words)
    (HOME / "GQA" / "README.md").write_text(GQA_HEAD, encoding="utf-8")


def _write(name: str, rows: list[dict[str, Any]]) -> None:
    path = HOME / name
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = {"image": Image(), "answers": Sequence(TEXT)}
    features = Features({field: kinds.get(field, TEXT) for field in rows[0]})
    columns = {field: [row[field] for row in rows] for field in rows[0]}
    Dataset.from_dict(columns, features).to_parquet(path)
