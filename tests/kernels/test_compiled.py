"""The kernels compiled for cards, without one: triton brings NVIDIA's assembler."""

from __future__ import annotations

from typing import Any

import pytest

triton = pytest.importorskip("triton")
cholesky = pytest.importorskip("pruneviz.ops.kernels.cholesky")
farthest = pytest.importorskip("pruneviz.ops.kernels.farthest")
stats = pytest.importorskip("pruneviz.ops.kernels.stats")

BYTES = {"may", "open_"}
LONGS = {"order", "seed"}
INTS = {"tokens", "counter"}
NUMBERS = {"n", "k", "stride", "first", "last", "d"}


def compiled(kernel: Any, number: str, constants: dict[str, Any], capability: int) -> Any:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    def kind(name: str) -> str:
        if name in constants:
            return "constexpr"
        if name in NUMBERS or name.endswith(("_far", "_near")):
            return "i32"
        for names, dtype in ((BYTES, "*i8"), (LONGS, "*i64"), (INTS, "*i32")):
            if name in names:
                return dtype
        return "*fp32" if name == "out" else f"*{number}"

    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature={name: kind(name) for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    return triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"enable_fp_fusion": True}
    )


@pytest.mark.parametrize(("number", "capability"), [("fp64", 90), ("fp32", 86)])
@pytest.mark.parametrize("kernel", ["cholesky", "farthest"])
def test_the_barrier_orders_memory(tmp_path, monkeypatch, kernel, number, capability) -> None:
    """An addition with release between two barriers of threads, and a wait with acquire."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    constants = {"BLOCK": 32, "PROGRAMS": 128}
    if kernel == "cholesky":
        constants |= {"TILE": 32, "NOISE": 0.0, "SEEDED": True}
    module = cholesky if kernel == "cholesky" else farthest
    lines = compiled(module._kernel, number, constants, capability).asm["ptx"].splitlines()
    steps = [
        word
        for line in lines
        for word in ("bar.sync", "gpu.release", "gpu.acquire")
        if word in line
    ]
    add, wait = steps.index("gpu.release"), steps.index("gpu.acquire")
    assert add < wait
    assert steps[add - 1] == steps[wait + 1] == "bar.sync"
    assert steps.count("gpu.release") == 1
    # Scores and tokens of all slots, and the winner's row: past the first-level cache.
    past = sum("ld.global.cg" in line for line in lines)
    assert past >= (3 if kernel == "cholesky" else 2)


def test_statistics_compile(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    made = compiled(stats._kernel, "bf16", {"BLOCK": 1024, "STREAM": True}, 80)
    assert len(made.asm["cubin"]) > 0
