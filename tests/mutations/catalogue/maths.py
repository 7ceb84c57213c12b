"""Errors in the pure maths, in costs, in figures of fidelity, in traces and geometry."""

from __future__ import annotations

from tests.mutations.runner import Mutation

ATTENTION = "tests/unit/test_attention.py"
COST = "tests/engine/test_cost.py"
GEOMETRY = "tests/unit/test_geometry.py"
CHOOSING = "tests/kernels/test_choosing.py"
INTERPRETED = "tests/kernels/test_interpreted.py"
MERGES = "tests/unit/test_merges.py"
METRICS = "tests/engine/test_metrics.py"
RESIDUAL = "tests/unit/test_residual.py"
SIGNALS = "tests/pruning/test_signals.py"
TFLOPS = "tests/engine/test_published_tflops.py"
TRACE = "tests/unit/test_trace.py"
TRANSITION = "tests/unit/test_transition.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


OPS = (
    _in(
        "ops/transition",
        "TTV's direction is the paper's where the code's is asked for",
        'if direction == "one_minus_abs_cos":',
        'if direction == "one_minus_cos":',
        TRANSITION,
    ),
    _in(
        "ops/transition",
        "TTV's magnitude is upside down",
        "return after / before.clamp_min(tiny) * moved",
        "return before / after.clamp_min(tiny) * moved",
        TRANSITION,
    ),
    _in(
        "ops/transition",
        "TTV's softmax takes in what is masked",
        "return change.exp() if mask is None else change.exp() * mask",
        "return change.exp()",
        TRANSITION,
        "tests/pruning/test_batches.py",
    ),
    _in(
        "pruning/signals",
        "A query does not see itself",
        "> places[:, None, :, None]",
        ">= places[:, None, :, None]",
        ATTENTION,
    ),
    _in(
        "pruning/signals",
        "Attention sees padding",
        "return padding if later is None else later | padding",
        "return later",
        ATTENTION,
    ),
    _in(
        "pruning/signals",
        "Queries are rotated as if they stood first",
        "cos, sin = (taken_in_heads(table, self.places, self._count) for table in rotary)",
        "cos, sin = (table[..., : self._count, :] for table in rotary)",
        ATTENTION,
    ),
    _in(
        "ops/attention",
        "Means of an encoder's map are taken over CLS too",
        "return received / count,",
        "return received / length,",
        ATTENTION,
    ),
    _in(
        "ops/scores",
        "The smaller variance decides",
        "received.var(-1, keepdim=True) > emitted.var",
        "received.var(-1, keepdim=True) < emitted.var",
        ATTENTION,
    ),
    _in(
        "ops/scores",
        "Ties go to the later token",
        "order = torch.sort(scores, dim=-1, descending=True, stable=True).indices",
        "order = scores.shape[-1] - 1"
        " - scores.flip(-1).sort(dim=-1, descending=True, stable=True).indices",
        ATTENTION,
    ),
    _in(
        "ops/scores",
        "Raters are those above the median",
        "chosen = share > share.mean(-1, keepdim=True)",
        "chosen = share > share.median(-1, keepdim=True).values",
        SIGNALS,
    ),
    _in(
        "ops/kernels/plain",
        "What a pick explains is taken off in part",
        "energy.addcmul_(made[step], made[step], value=-1)",
        "energy.addcmul_(made[step], made[step], value=-0.9)",
        RESIDUAL,
    ),
    _in(
        "ops/residual",
        "Weights do not count once the rank is exhausted",
        "_beyond_rank(order, gain, start * open_)",
        "_beyond_rank(order, gain, start / scale.square())",
        RESIDUAL,
    ),
    _in(
        "ops/residual",
        "Relevance enters the DPP once",
        "_double(relevance).square(), k, None, use_kernel)",
        "_double(relevance), k, None, use_kernel)",
        RESIDUAL,
    ),
    _in(
        "ops/kernels/plain",
        "Diversity looks at the farthest pick",
        "torch.minimum(open_, flat, out=open_)",
        "torch.maximum(open_, flat.abs(), out=open_)",
        RESIDUAL,
        "tests/golden",
    ),
    _in(
        "ops/residual",
        "Relevance is the mean over words",
        "found = _non_negative(cosine.amax(-1), normalisation)",
        "found = _non_negative(cosine.mean(-1), normalisation)",
        RESIDUAL,
    ),
    _in(
        "ops/merging",
        "Contextual tokens are counted among their followers",
        "followers = into.index_fill(-1, targets, -1)",
        "followers = into",
        "tests/golden",
    ),
    _in(
        "ops/merging",
        "Targets stand closer together",
        "max(1, tokens // count)",
        "max(1, tokens // (count + 1))",
        "tests/golden",
        MERGES,
    ),
    _in(
        "ops/merging",
        "ToMe forgets how many tokens are in one",
        "weighted = states * sizes[..., None]",
        "weighted = states * sizes.clamp_max(1)[..., None]",
        MERGES,
    ),
    _in(
        "ops/merging",
        "ToMe merges the least alike",
        "order = torch.sort(similar, dim=-1, descending=True, stable=True).indices",
        "order = torch.sort(similar, dim=-1, stable=True).indices",
        MERGES,
    ),
    _in(
        "ops/merging",
        "Clusters grow around the densest points alone",
        "score = density * apart",
        "score = density",
        MERGES,
    ),
    _in(
        "ops/merging",
        "Tokens go to the farthest centre",
        "into = distance[:, centres].argmin(-1)",
        "into = distance[:, centres].argmax(-1)",
        MERGES,
    ),
    _in(
        "ops/merging",
        "Evenly spread places start at the edge",
        "(2 * torch.arange(count, device=device) + 1) * total // (2 * max(count, 1))",
        "torch.arange(count, device=device) * total // max(count, 1)",
        MERGES,
    ),
    _in(
        "ops/merging",
        "A cell's middle is its corner",
        "order = np.lexsort((places, away, own))",
        "order = np.lexsort((places, -away, own))",
        MERGES,
    ),
    _in(
        "ops/merging",
        "The first image takes the whole budget",
        "until = round(count * done / sum(sizes))",
        "until = count",
        MERGES,
    ),
    _in(
        "ops/merging",
        "A group's mean is a sum",
        "return (total / sizes.clamp_min(1)[..., None])[..., :count, :]",
        "return total[..., :count, :]",
        MERGES,
    ),
    _in(
        "ops/transition",
        "TTV is normalised over the whole batch",
        "share = weight / _floored(weight.sum(-1, keepdim=True))",
        "share = weight / _floored(weight.sum())",
        "tests/unit/test_transition.py::test_the_whole_is_the_product_of_its_parts",
        "tests/pruning/test_batches.py",
    ),
    _in(
        "ops/transition",
        "A token that was nothing changes its direction",
        "(1.0 - cosine) * moved",
        "1.0 - cosine",
        "tests/unit/test_transition.py::test_zero_vectors_give_zero_and_no_nan",
    ),
    _in(
        "ops/scores",
        "A row's raters are told by a mean over what fills it up",
        "share.sum(-1, keepdim=True) / real.sum(-1, keepdim=True)",
        "share.mean(-1, keepdim=True)",
        "tests/pruning/test_rows.py",
    ),
    _in(
        "ops/scores",
        "Text that fills a row up shares in the match",
        "match.masked_fill(~real[..., None, :], -torch.inf)",
        "match",
        "tests/pruning/test_rows.py",
    ),
)

KERNELS = (
    _in(
        "ops/kernels/grid",
        "Programs do not wait for each other",
        'while tl.atomic_add(counter, 0, sem="acquire", scope="gpu") < target:\n        pass',
        "target += 0",
        "tests/kernels/test_compiled.py",
    ),
    _in(
        "ops/kernels/grid",
        "Slots are read from the nearest cache",
        'mask=there, other=-float("inf"), cache_modifier=".cg"',
        'mask=there, other=-float("inf")',
        "tests/kernels/test_compiled.py",
    ),
    _in(
        "ops/kernels/grid",
        "More programs than the card holds",
        "if programs * batch <= resident:",
        "if programs <= resident:",
        CHOOSING,
    ),
    _in(
        "ops/kernels/grid",
        "The later program's token wins a tie",
        "tl.min(tl.where(scores == best, owners, n), 0), n - 1)",
        "tl.max(tl.where(scores == best, owners, -1), 0), n - 1)",
        INTERPRETED,
    ),
    _in(
        "ops/kernels/cholesky",
        "The kernel takes off in part what a pick explains",
        "energy = energy - new * new",
        "energy = energy - 0.9 * new * new",
        INTERPRETED,
    ),
    _in(
        "ops/kernels/cholesky",
        "A seed without weight does not count",
        "pivot = tl.where(step == 0, length, best)",
        "pivot = tl.where(step == 0, weighted, best)",
        INTERPRETED,
    ),
    _in(
        "ops/kernels/cholesky",
        "Rounding of float32 counts as energy",
        "torch.float32: 4e-6",
        "torch.float32: 0.0",
        INTERPRETED,
    ),
    _in(
        "ops/kernels/farthest",
        "The farthest pick counts",
        "away = tl.minimum(away, row)",
        "away = tl.maximum(away, row)",
        INTERPRETED,
    ),
    _in(
        "ops/kernels/stats",
        "The stream's norm is that of the output",
        "along += z * z",
        "along += y * y",
        INTERPRETED,
    ),
    _in(
        "ops/kernels/switch",
        "A kernel that failed is tried again",
        "_failed.add(name)",
        "_failed.discard(name)",
        CHOOSING,
    ),
    _in(
        "ops/kernels/plain",
        "Tokens at the floor may be picked",
        "energy[:, n] = floor.nextafter(floor.new_full((), torch.inf))",
        "energy[:, n] = -1.0",
        RESIDUAL,
    ),
    _in(
        "ops/places",
        "Other places are those that are taken",
        "torch.sort(free, dim=-1, descending=True, stable=True).indices[..., :left]",
        "torch.sort(free, dim=-1, stable=True).indices[..., :left]",
        "tests/unit/test_places.py",
    ),
    _in(
        "ops/places",
        "Who has no place gets the last free one",
        "turn = (without.cumsum(-1) - 1).clamp_min(0)",
        "turn = total - anchors.shape[-1] + (without.cumsum(-1) - 1).clamp_min(0)",
        "tests/unit/test_places.py",
    ),
    _in(
        "ops/stretches",
        "What is handed on goes where there is no room",
        "open_ = (room > full).gather(-1, order)",
        "open_ = (room > -1).gather(-1, order)",
        "tests/unit/test_places.py",
    ),
)

NUMBERS = (
    _in(
        "cost",
        "The papers' FLOPs lack a projection",
        "4 * n * d * d + 2 * n * n * d + ffn",
        "3 * n * d * d + 2 * n * n * d + ffn",
        TFLOPS,
    ),
    _in("cost", "FastV's convention has a gate", '"2ndm": (2, 1)', '"2ndm": (3, 1)', TFLOPS),
    _in(
        "cost",
        "Attention is counted without the token itself",
        "2 * n * (n + 1) * width",
        "2 * n * (n - 1) * width",
        COST,
    ),
    _in(
        "cost",
        "Keys are cached without values",
        "per_token = 2 * shape.kv_heads * shape.head_dim * shape.value_bytes",
        "per_token = shape.kv_heads * shape.head_dim * shape.value_bytes",
        COST,
    ),
    _in(
        "cost",
        "Grouped heads cost as much as all",
        "kv_width = shape.kv_heads * shape.head_dim",
        "kv_width = shape.heads * shape.head_dim",
        COST,
    ),
    _in(
        "cost",
        "The encoder's windows are not seen",
        "full = encoder.full_layers if window else layers",
        "full = layers",
        "tests/models/test_qwen.py",
    ),
    _in(
        "cost",
        "One projector is counted where there are several",
        "projector = encoder.projectors * (n",
        "projector = (n",
        "tests/models/test_qwen3.py",
    ),
    _in(
        "cost",
        "The layer average is the last layer's",
        "layer_average=sum(counts) / len(counts) if counts else 0.0",
        "layer_average=float(counts[-1]) if counts else 0.0",
        COST,
    ),
    _in(
        "metrics",
        "Divergence is weighed by the pruned run",
        "(np.exp(p[seen]) * (p[seen] - q[seen]))",
        "(np.exp(q[seen]) * (p[seen] - q[seen]))",
        METRICS,
    ),
    _in(
        "metrics",
        "A longer answer counts as the same",
        "return None if len(baseline) == len(other) else min(len(baseline), len(other))",
        "return None",
        METRICS,
    ),
    _in(
        "metrics",
        "Overlap is the share of the first set",
        "union = np.union1d(first, second)",
        "union = np.unique(first)",
        METRICS,
    ),
)

RECORDS = (
    _in(
        "trace",
        "Saving as NPZ loses where patches went",
        'arrays[f"{head}into"] = stage.into',
        "pass",
        TRACE,
    ),
    _in(
        "trace",
        "Loading forgets the tokens that stand for no patch",
        'extra=int(data.get("extra", 0))',
        "extra=0",
        TRACE,
    ),
    _in(
        "trace",
        "Loading forgets what newlines were",
        'values["newlines"] = str(data.get("newlines", "visual"))',
        'values["newlines"] = "visual"',
        TRACE,
    ),
    _in(
        "trace",
        "A missing value is written as 0",
        "if isinstance(value, float) and math.isnan(value):\n        return None",
        "if isinstance(value, float) and math.isnan(value):\n        return 0.0",
        TRACE,
    ),
    _in(
        "trace",
        "Tokens that fell early rank before those that fell late",
        "for stage in self.stages[-2::-1])",
        "for stage in self.stages[:-1])",
        "tests/render/test_payload.py",
        TRACE,
    ),
    _in(
        "trace",
        "The lowest kept score is the highest",
        'return float(kept.min()) if kept.size else float("nan")',
        'return float(kept.max()) if kept.size else float("nan")',
        TRACE,
    ),
    _in(
        "trace",
        "A merged patch is followed one stage only",
        "holder = follow[holder]",
        "holder = follow[np.arange(self.num_visual)]",
        "tests/pruning/test_merging.py",
        TRACE,
    ),
    _in(
        "trace",
        "The CLS token is not counted among what is left",
        "return len(self.kept) + (self.stages[-1].extra if self.stages else 0)",
        "return len(self.kept)",
        "tests/pruning/test_merging.py::test_visionzip_counts_cls_and_orders_as_published",
    ),
    _in(
        "trace",
        "A token's fall is told one stage late",
        "stage_of[stage.dropped] = number",
        "stage_of[stage.dropped] = number + 1",
        TRACE,
    ),
    _in(
        "geometry",
        "Boxes are not cut at the edge of the image",
        "(np.clip(starts, 0, length), np.clip(ends, 0, length))",
        "(np.asarray(starts), np.asarray(ends))",
        GEOMETRY,
    ),
    _in(
        "geometry",
        "Rows and columns of a grid are exchanged",
        "x0, y0 = np.meshgrid(left, top)",
        "y0, x0 = np.meshgrid(left, top)",
        GEOMETRY,
        "tests/render/test_overlay.py",
    ),
    _in(
        "geometry",
        "A resized grid keeps what was seen",
        "seen = (left * across, top * down, right * across, bottom * down)",
        "seen = (left, top, right, bottom)",
        "tests/render/test_figures.py",
    ),
    _in(
        "geometry",
        "Other grids of the picture are not resized",
        "others = tuple(other.resized(size) for other in self.others)",
        "others = self.others",
        "tests/render/test_payload.py",
    ),
    _in(
        "geometry",
        "Tokens without a place push the others away",
        "flat[self.token_cell[placed]] = np.asarray(values, dtype=np.float32)[placed]",
        "flat[self.token_cell[placed]] = np.asarray(values, dtype=np.float32)[: placed.sum()]",
        GEOMETRY,
        "tests/pruning/test_corner_cases.py",
    ),
    _in(
        "geometry",
        "A grid starts at the second cell",
        "np.arange(skipped, rows * columns)",
        "np.arange(skipped + 1, rows * columns)",
        GEOMETRY,
    ),
)

MATHS = (*OPS, *KERNELS, *NUMBERS, *RECORDS)
