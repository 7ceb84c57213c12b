"""The list of mutations fits the code, and the runner tells what was noticed from what was not."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutations.__main__ import table
from tests.mutations.catalogue import MUTATIONS
from tests.mutations.runner import (
    ROOT,
    CatalogueError,
    Mutation,
    check_unchanged,
    copied,
    methods_without,
    run_one,
)


@pytest.mark.parametrize("file", sorted({mutation.file for mutation in MUTATIONS}))
def test_every_mutation_fits_the_code_as_it_is(file: str) -> None:
    """Where this fails, say the same error of the new code in `tests/mutations/catalogue`."""
    for mutation in MUTATIONS:
        if mutation.file == file:
            ast.parse(mutation.applied(ROOT))
            for test in mutation.tests:
                assert (ROOT / test.partition("::")[0]).exists(), f"{mutation.name}: no {test}"


def test_every_mutation_has_a_name_of_its_own_and_tests() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(set(names)) == len(names) > 200
    assert all(mutation.tests for mutation in MUTATIONS)


def test_methods_without_a_mutation_are_named(tmp_path: Path) -> None:
    """Named and no more: a new method is one file, and its mutations may come later."""
    folder = tmp_path / "pruneviz/methods"
    folder.mkdir(parents=True)
    for name in ("tried", "untried"):
        (folder / f"{name}.py").write_text("class One:\n    card: object = Card()\n")
    (folder / "registry.py").write_text("card = None\n")
    tried = replace(NOTICED, file="pruneviz/methods/tried.py")
    assert methods_without([tried], tmp_path) == ["pruneviz/methods/untried.py"]
    assert "pruneviz/methods/fastv.py" in methods_without([])
    assert "pruneviz/methods/fastv.py" not in methods_without(MUTATIONS)


CODE = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n"
TESTS = "from pruneviz.sums import double\n\n\ndef test_double():\n    assert double(3) == 6\n"
NOTICED = Mutation("thrice", "pruneviz/sums.py", "2 * x", "3 * x", ("tests/test_sums.py",))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in (("pruneviz/sums.py", CODE), ("tests/test_sums.py", TESTS)):
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        (path.parent / "__init__.py").touch()
    return tmp_path / "project"


@pytest.mark.slow
def test_noticed_unnoticed_and_impossible_mutations_are_told_apart(checkout: Path) -> None:
    unnoticed = replace(NOTICED, name="no half", old="x / 2", new="x / 3")
    broken = replace(NOTICED, name="no code", new="2 *")
    moved = replace(NOTICED, name="moved", old="2 + x")
    untested = replace(NOTICED, name="no test", tests=("tests/test_else.py",))
    with copied(checkout) as copy:
        outcomes = [run_one(m, copy) for m in (NOTICED, unnoticed, broken, moved, untested)]
        assert (copy / "pruneviz/sums.py").read_text(encoding="utf-8") == CODE
        check_unchanged([NOTICED], copy)
        (copy / "pruneviz/sums.py").write_text(CODE.replace("2 * x", "x"), encoding="utf-8")
        with pytest.raises(CatalogueError, match="fail without any mutation"):
            check_unchanged([NOTICED], copy)
    assert not copy.exists()
    assert [outcome.result for outcome in outcomes] == [
        "killed",
        "SURVIVED",
        "ERROR",
        "ERROR",
        "ERROR",
    ]
    assert outcomes[0].by == "tests/test_sums.py::test_double"
    assert "holds '2 + x' 0 times" in outcomes[3].by
    assert (checkout / "pruneviz/sums.py").read_text(encoding="utf-8") == CODE
    assert table(outcomes).endswith("1 killed, 1 SURVIVED, 3 ERROR")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"old": "x"}, "4 times instead of once"),
        ({"old": "2 + x"}, "0 times instead of once"),
        ({"new": "2 * x"}, "changes nothing"),
        ({"file": "pruneviz/gone.py"}, "it may have moved"),
    ],
)
def test_a_mutation_that_does_not_fit_is_an_error(
    wrong: dict[str, str], message: str, checkout: Path
) -> None:
    with pytest.raises(CatalogueError, match=message):
        replace(NOTICED, **wrong).applied(checkout)
