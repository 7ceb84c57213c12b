"""Errors in the newer methods, in greedy coverage, and in what a model decides for a method."""

from __future__ import annotations

from tests.mutations.runner import Mutation

GOLDEN = "tests/golden/test_peers.py"
PEERS = "tests/pruning/test_peers.py"
EQUAL = "tests/pruning/test_equivalence.py"
RESIDUAL = "tests/unit/test_residual.py"
TOGETHER = "tests/pruning/test_rows_together.py"


def _of(file: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"{file}::{test}" for test in tests)


IMAGES = _of(PEERS, "test_each_of_two_images_is_pruned_as_if_alone")
DECIDED = _of(
    PEERS,
    "test_the_model_decides_what_was_left_to_it",
    "test_the_trace_tells_what_the_model_decided",
)
GIVEN = _of(GOLDEN, "test_the_model_is_given_the_published_tokens")
DART = (
    *_of(GOLDEN, "test_dart_takes_as_published", "test_dart_prunes_a_model_as_published"),
    *_of(PEERS, "test_the_first_of_darts_pivots_take_one_more"),
)
SCOPE = (
    *_of(GOLDEN, "test_scope_picks_as_published"),
    *_of(
        PEERS,
        "test_scope_weighs_coverage_by_a_power_of_attention",
        "test_alpha_of_scope_changes_what_it_keeps",
    ),
    *IMAGES,
)
MMTOK = (*_of(GOLDEN, "test_mmtok_covers_as_published"), *DECIDED, *IMAGES, *GIVEN)
HOLOV = (
    *_of(GOLDEN, "test_holov_keeps_as_published"),
    *_of(
        PEERS,
        "test_holov_gives_no_stretch_more_than_it_holds_and_zeros_only_where_asked",
        "test_what_rounding_leaves_goes_to_the_heaviest_stretch",
        "test_earlier_stretches_are_the_longer_ones",
        "test_holov_in_raster_order_keeps_the_same_tokens",
    ),
    *IMAGES,
    *GIVEN,
)
HIPRUNE = (
    *_of(
        GOLDEN,
        "test_hiprune_keeps_as_published_on_llava",
        "test_hiprune_keeps_as_published_on_qwen_and_exactly_the_budget_otherwise",
    ),
    *_of(
        PEERS,
        "test_hiprune_keeps_objects_their_neighbours_and_the_best_of_the_rest",
        "test_neighbours_are_kept_as_far_as_there_is_room",
        "test_neighbours_are_of_a_tokens_own_grid",
        "test_hiprune_reads_both_layers_of_the_encoder",
    ),
    *DECIDED,
    *IMAGES,
)
SEEDS = _of(
    PEERS,
    "test_a_first_pick_of_its_own",
    "test_without_cls_the_longest_token_stands_in",
)
COVERAGE = _of(GOLDEN, "test_coverage_equals_a_naive_loop")


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


COVERING = (
    _in(
        "ops/coverage",
        "Rows are covered by the last pick alone",
        "torch.maximum(best, column, out=best)",
        "best.copy_(column)",
        *COVERAGE,
    ),
    _in(
        "ops/coverage",
        "A pick may be picked again",
        "open_.scatter_(-1, taken, -torch.inf)",
        "pass",
        *COVERAGE,
    ),
    _in(
        "ops/coverage",
        "What covers a row worse takes from the gain",
        "torch.sub(values, best, out=beyond).clamp_min_(0)",
        "torch.sub(values, best, out=beyond)",
        *COVERAGE,
    ),
    _in(
        "ops/coverage",
        "A pick's score is what it could still gain",
        "return self.left.scatter(-1, self.order, self.gain).float()",
        "return self.left.float()",
        *SCOPE,
    ),
    _in(
        "methods/scope",
        "SCOPE covers the picture without attention",
        "found = coverage_profile(products(unit, unit), share, weight)",
        "found = coverage_profile(products(unit, unit), share)",
        *SCOPE,
    ),
    _in(
        "methods/scope",
        "SCOPE forgets its power",
        "weight = part.attention.float() ** self.alpha",
        "weight = part.attention.float()",
        *SCOPE,
    ),
    _in(
        "methods/scope",
        "SCOPE compares features by their length too",
        "unit = normalize(part.features.float(), dim=-1)",
        "unit = part.features.float()",
        *SCOPE,
    ),
    _in(
        "methods/scope",
        "SCOPE picks from the first image for the second",
        "kept.append(start + found.order)",
        "kept.append(found.order)",
        *SCOPE,
    ),
    _in(
        "methods/scope",
        "SCOPE tells the whole score as coverage",
        "covers.append(totals[-1] / weight.clamp_min(torch.finfo(torch.float32).tiny))",
        "covers.append(totals[-1])",
        *SCOPE,
    ),
    _in(
        "methods/mmtok",
        "MMTok weighs the picture like the words",
        "return torch.cat([said, self.alpha * shown], -2)",
        "return torch.cat([said, shown], -2)",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok forgets the words",
        "return torch.cat([said, self.alpha * shown], -2)",
        "return torch.cat([0 * said, self.alpha * shown], -2)",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok does not sharpen the words",
        "products(words, patches) / (self.text_temperature or ELSEWHERE)",
        "products(words, patches) / self.vision_temperature",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok counts words by their number",
        "max(1, words.shape[-2])",
        "1",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok compares what enters the LLM with itself",
        "words, patches, own = (_unit(rows) for rows in (text, states, features))",
        "words, patches, own = (_unit(rows) for rows in (text, states, states))",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok looks for the words in the first image",
        "own = states[..., start : start + part.attention.shape[-1], :]",
        "own = states[..., : part.attention.shape[-1], :]",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok counts words of other rows",
        "(real / real.sum(-1, keepdim=True).clamp_min(1))",
        "(real / real.shape[-1])",
        f"{TOGETHER}::test_rows_are_asked_together_and_get_what_they_get_alone",
    ),
    _in(
        "methods/mmtok",
        "MMTok picks from the first image for the second",
        "picks.append(start + found.order)",
        "picks.append(found.order)",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok is as sharp on Qwen as elsewhere",
        'ON_QWEN if host.kin == "qwen" else ELSEWHERE',
        "ELSEWHERE",
        *MMTOK,
    ),
    _in(
        "methods/mmtok",
        "MMTok forgets the temperature that it was given",
        "if self.text_temperature is not None:",
        "if self.text_temperature == -1:",
        *MMTOK,
    ),
)

REPEATING = (
    _in(
        "methods/dart",
        "DART keeps what repeats most",
        "rest = likeness.masked_fill(taken, torch.inf)",
        "rest = (-likeness).masked_fill(taken, torch.inf)",
        *DART,
    ),
    _in(
        "methods/dart",
        "DART takes pivots in the order of the prompt",
        "for place in set_order(places)]",
        "for place in sorted(places)]",
        *DART,
    ),
    _in(
        "methods/dart",
        "DART's pivots have the smallest keys",
        "return torch.sort(size, dim=-1, descending=True, stable=True)",
        "return torch.sort(size, dim=-1, stable=True)",
        *DART,
    ),
    _in(
        "methods/dart",
        "DART's pivots are words of other rows",
        "size = torch.where(real, size, -1)",
        "size = torch.where(real, size, torch.inf)",
        f"{TOGETHER}::test_darts_pivots_are_words_of_their_own_row",
    ),
    _in(
        "methods/dart",
        "DART's last pivots take what does not go evenly",
        "each + (turn < more)",
        "each + (turn >= len(order) - more)",
        *DART,
    ),
    _in(
        "methods/dart",
        "DART's pivots may be taken by others",
        "taken.scatter_(-1, image, True)",
        "pass",
        *DART,
    ),
    _in(
        "methods/dart",
        "DART keeps all its pivots whatever the budget",
        "min(self.image_pivots, keep)",
        "self.image_pivots",
        *DART,
    ),
    _in(
        "methods/dart",
        "DART takes patches for its words",
        'words = taken_at(context.normed_states("after_image"), text)',
        'words = taken_at(context.normed_states("visual"), text)',
        *DART,
    ),
    _in(
        "methods/dart",
        "DART renumbers",
        'positions: ClassVar[Positions] = "keep"',
        'positions: ClassVar[Positions] = "renumber"',
        f"{GOLDEN}::test_dart_prunes_a_model_as_published",
    ),
    _in(
        "methods/dart",
        "A set grows twofold",
        "while size <= 4 * used:",
        "while size <= 2 * used:",
        f"{GOLDEN}::test_the_order_of_a_set_is_spelled_out",
    ),
    _in(
        "methods/dart",
        "A set looks for a free place in another way",
        "near = 9 if place + 9 <= mask else 0",
        "near = 9 if place + 9 < mask else 0",
        f"{GOLDEN}::test_the_order_of_a_set_is_spelled_out",
    ),
    _in(
        "pruning/signals",
        "Keys are read before they are rotated",
        "return rotated(key.transpose(1, 2), *rotary)",
        "return key.transpose(1, 2)",
        "tests/unit/test_attention.py::test_rows_equal_the_eager_layers",
    ),
    _in(
        "pruning/context",
        "Attention is read with the rotary tables of the batch's first row",
        "cos, sin = (self._group.of(table) for table in self._running.rotary)",
        "cos, sin = (table[:1] for table in self._running.rotary)",
        "tests/pruning/test_batches.py::test_samples_with_different_numbers_of_visual_tokens",
        EQUAL,
    ),
    _in(
        "pruning/context",
        "States are compared without the final norm",
        "self._spec.decoder.module.norm(states)",
        "states",
        *DART,
    ),
    _in(
        "pruning/context",
        "Places in the prompt count its padding",
        "return self._out(columns - first)",
        "return self._out(columns)",
        f"{PEERS}::test_dart_counts_places_from_the_prompts_own_start",
        EQUAL,
    ),
)

STRETCHES = (
    _in(
        "ops/stretches",
        "HoloV keeps the least attended of a stretch",
        "best = torch.sort(own, dim=-1, descending=True, stable=True)",
        "best = torch.sort(own, dim=-1, stable=True)",
        *HOLOV,
    ),
    _in(
        "ops/stretches",
        "HoloV gives what rounding leaves to the first stretches",
        "return given.scatter_add(-1, order, more.long()), order",
        "return given + more.long(), order",
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV puts the order of the picture in place of the published one",
        'if self.order == "raster":',
        'if self.order != "":',
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV never hands on",
        'if self.overflow == "handed_on":',
        'if self.overflow == "never":',
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV hands on where zeros are asked for",
        'if self.overflow == "handed_on":',
        'if self.overflow != "never":',
        *HOLOV,
    ),
    _in(
        "ops/stretches",
        "HoloV hands on to the lightest first",
        "more = open_ & (open_.cumsum(-1) <= left)",
        "more = open_ & (open_.sum(-1, True) - open_.cumsum(-1) < left)",
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV's zeros are the first token",
        "torch.zeros_like(there[..., :1, :]))",
        "states[..., :1, :])",
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV's later stretches are the longer ones",
        "total // count + (p < total % count)",
        "total // count + (p >= count - total % count)",
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV cuts half as many stretches",
        "1024 * total // (576 * keep)",
        "512 * total // (576 * keep)",
        *HOLOV,
    ),
    _in(
        "ops/stretches",
        "HoloV orders a full stretch by attention",
        "torch.where(whole, spots, spots.gather(-1, best))",
        "spots.gather(-1, best)",
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV's second image falls on the first where it picks",
        "kept.append(start + places)",
        "kept.append(places)",
        *HOLOV,
    ),
    _in(
        "methods/holov",
        "HoloV's orders merge alike",
        'return self.order == "published" or self.overflow == "zeros"',
        "return True",
        *HOLOV,
    ),
)

LAYERS = (
    _in(
        "methods/hiprune",
        "HiPrune has more anchors",
        "round(keep * self.alpha / 5)",
        "round(keep * self.alpha / 3)",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune takes anchors from the deep layer",
        "anchors = top_indices(objects,",
        "anchors = top_indices(deep,",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune takes the rest from the object layer",
        "first = torch.where(chosen, torch.inf, deep)",
        "first = torch.where(chosen, torch.inf, objects)",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune takes the worst neighbours where room is short",
        "fits = torch.where(near & ~chosen, objects, -torch.inf)",
        "fits = torch.where(near & ~chosen, -objects, -torch.inf)",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune chooses a patch twice though it should not",
        'if self.anchors == "excluded":',
        'if self.anchors == "":',
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune chooses no patch twice though published",
        'if self.anchors == "excluded":',
        'if self.anchors != "":',
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune's neighbours go round the ends of rows unasked",
        "        if wrap:\n",
        "        if wrap or rows:\n",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune has no neighbour below",
        "torch.where(row < rows - 1, own + columns, missing)",
        "missing.expand_as(own)",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune's second grid has the first one's neighbours",
        "found.append(torch.where(beside < 0, -1, beside + first))",
        "found.append(beside)",
        f"{PEERS}::test_neighbours_are_of_a_tokens_own_grid",
    ),
    _in(
        "methods/hiprune",
        "HiPrune prunes the first image twice",
        "kept.append(first + self._kept(",
        "kept.append(self._kept(",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune takes one layer for both",
        "further = () if self.object_layer is None else (self.object_layer,)",
        "further = () if self.object_layer is None else (self.encoder_layer or self.object_layer,)",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune reads on Qwen what it reads on LLaVA",
        'share = OBJECTS_QWEN if host.kin == "qwen" else OBJECTS',
        "share = OBJECTS",
        *HIPRUNE,
    ),
    _in(
        "methods/hiprune",
        "HiPrune ignores the layer that it was given",
        "if self.object_layer is not None or not host.whole_layers:",
        "if not host.whole_layers:",
        *HIPRUNE,
    ),
    _in(
        "methods/base/host",
        "The nearest layer is the first",
        "key=lambda layer: abs(layer - wanted))",
        "key=lambda layer: layer)",
        *DECIDED,
    ),
)

GUIDED = (
    _in(
        "methods/resprune",
        "ResPrune's alpha is the same in every family",
        "alpha=ALPHAS.get(host.kin, ALPHA))",
        "alpha=ALPHA)",
        *DECIDED,
    ),
    _in(
        "methods/resprune",
        "ResPrune's own alpha gives way to the family's",
        "if self.alpha is None else self\n",
        "if self.alpha is None or host.kin else self\n",
        *DECIDED,
    ),
    _in(
        "methods/resprune",
        "ResPrune begins with the shortest token",
        "longest = features.float().norm(dim=-1).argmax(-1)",
        "longest = features.float().norm(dim=-1).argmin(-1)",
        *SEEDS,
    ),
    _in(
        "methods/resprune",
        "ResPrune begins with what CLS ignores",
        "return seen.attention.argmax(-1), ()",
        "return seen.attention.argmin(-1), ()",
        *SEEDS,
    ),
    _in(
        "methods/resprune",
        "ResPrune takes the mean over queries for CLS",
        "if not seen.leading.shape[-2]:",
        "if seen.leading is None:",
        *SEEDS,
    ),
    _in(
        "methods/resprune",
        "ResPrune reads CLS without asking for it",
        'return Needs(encoder=self.seed == "cls")',
        "return Needs()",
        *SEEDS,
    ),
    _in(
        "methods/resprune",
        "ResPrune watches the encoder for nothing",
        'return Needs(encoder=self.seed == "cls")',
        "return Needs(encoder=True)",
        *SEEDS,
    ),
    _in(
        "ops/kernels/plain",
        "A seed is picked like any other",
        "if step == 0 and seed is not None:",
        "if step < 0 and seed is not None:",
        RESIDUAL,
    ),
    _in(
        "ops/residual",
        "A seed's score may be below the others'",
        "picked[..., 0] = picked.amax(-1)",
        "pass",
        RESIDUAL,
    ),
    _in(
        "ops/residual",
        "Beyond the rank scores say nothing",
        "total = torch.where(could > floor, could, rest)",
        "total = could",
        RESIDUAL,
    ),
)

HOSTS = (
    _in(
        "pruning/api",
        "A method is not told of the model",
        "Policy.pruning(method.on(host_of(model, adapter)), decoder, positions)",
        "Policy.pruning(method, decoder, positions)",
        *DECIDED,
    ),
    _in(
        "methods/chain",
        "Members of a chain are not told of the model",
        "methods=[method.on(host) for method in self.methods]",
        "methods=list(self.methods)",
        *DECIDED,
    ),
    _in(
        "methods/pinned",
        "A method under pins is not told of the model",
        "return replace(self, method=self.method.on(host))",
        "return self",
        *DECIDED,
    ),
    _in(
        "engine/session",
        "A session does not tell a method of the model",
        "return method.on(host_of(self.loaded.model, self.loaded.adapter))",
        "return method",
        f"{PEERS}::test_a_session_records_both_layers",
    ),
    _in(
        "models/qwen_vl/adapter",
        "Windows count as whole images",
        "sorted(full)) if full else super().whole_layers(model)",
        "sorted(full)) if not full else super().whole_layers(model)",
        f"{PEERS}::test_hosts_of_models",
    ),
)

NEWER = (*COVERING, *REPEATING, *STRETCHES, *LAYERS, *GUIDED, *HOSTS)
