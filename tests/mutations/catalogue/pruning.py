"""Errors in the steps of pruning: hooks, frames, positions, masks, choices, refusals, traces."""

from __future__ import annotations

from tests.mutations.runner import Mutation

BATCHES = "tests/pruning/test_batches.py"
CORNERS = "tests/pruning/test_corner_cases.py"
EQUAL = "tests/pruning/test_equivalence.py"
FORWARD = "tests/pruning/test_forward.py"
GENERATE = "tests/pruning/test_generate.py"
INVARIANT = "tests/pruning/test_invariant.py"
MERGING = "tests/pruning/test_merging.py"
APART = "tests/pruning/test_merging_apart.py"
NEWLINES = "tests/pruning/test_newlines.py"
PINNED = "tests/pruning/test_pinned.py"
REFUSALS = "tests/pruning/test_refusals.py"
SEVERAL = "tests/pruning/test_several.py"
SHARING = "tests/pruning/test_sharing.py"
SIGNALS = "tests/pruning/test_signals.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/pruning/{file}.py", old, new, tests)


STEPS = (
    _in(
        "prefill",
        "The hook after a layer does not shorten",
        "return cut.of(hidden)",
        "return None",
        EQUAL,
    ),
    _in(
        "prefill",
        "The stack gets the whole prompt though tokens were dropped before it",
        "return inputs.shortened(cut.of(cut.states), self.frames.base)",
        "return None",
        EQUAL,
    ),
    _in(
        "prefill",
        "Layers after a stage keep the stack's rotary tables",
        "return self._spec.decoder.rotary(hidden, frame.positions)",
        "return tables",
        EQUAL,
    ),
    _in(
        "prefill",
        "The rows of the rotary tables are those of the first tokens",
        "places = torch.searchsorted(columns, frame.columns)[..., None]",
        "places = torch.arange(frame.length).expand_as(frame.columns)[..., None]",
        EQUAL,
    ),
    _in(
        "prefill",
        "Own attention is read of the layer that was running first",
        "if self._spec.policy.needs.own_attention:",
        "if self._spec.policy.needs.own_attention and self._layer.normed is None"
        " and self._layer.index == 0:",
        SIGNALS,
    ),
    _in(
        "prefill",
        "Deepstack's features are not in what a stage scores",
        "entering = self._deepstack.after(stage.layer - 1, hidden)",
        "entering = hidden",
        "tests/models/test_qwen3.py",
    ),
    _in(
        "prefill",
        "What the model adds between layers is added to merged tokens twice",
        "cut.states - (entering - hidden), hidden)",
        "cut.states, hidden)",
        f"{INVARIANT}::test_features_added_between_layers_come_once",
    ),
    _in(
        "prefill",
        "Observing refuses the caches that pruning does",
        "if self._spec.policy.prunes:\n                check_cache(cache)",
        "if not self._spec.policy.prunes:\n                check_cache(cache)",
        f"{REFUSALS}::test_observing_refuses_no_cache",
    ),
    _in(
        "passes",
        "Layers get the stack's mask",
        '"attention_mask": self.mask(frame, hidden),',
        '"attention_mask": kwargs.get("attention_mask"),',
        EQUAL,
    ),
    _in(
        "passes",
        "A layer gets the inputs made for the first shorter one",
        "if frame not in self._made:",
        "frame = next(iter(self._made), frame)\n        if frame not in self._made:",
        EQUAL,
    ),
    _in(
        "decode",
        "A decode step's position is off by one",
        "counted = inputs.positions(past + gone)",
        "counted = inputs.positions(past + gone + 1)",
        FORWARD,
    ),
    _in(
        "decode",
        "A decode step counts by the shortened cache",
        "self._positions = counted + gone if recounted else counted",
        "self._positions = counted",
        f"{FORWARD}::test_decoding_by_hand_with_three_positions",
        FORWARD,
    ),
    _in(
        "decode",
        "A decode step is not moved down where positions were closed up",
        "return steps - shift",
        "return steps",
        EQUAL,
    ),
    _in(
        "decode",
        "Tokens since the prefill are taken for valid",
        "self._later = None if inputs.mask is None else inputs.mask[:, length:].bool()",
        "self._later = None",
        f"{FORWARD}::test_a_generated_token_that_is_masked_is_seen_by_none_after_it",
    ),
    _in(
        "decode",
        "Padding is seen in decode steps of a prompt pruned before the LLM",
        "past = torch.ones_like(base.columns) if base.valid is None else base.valid.long()",
        "past = torch.ones_like(base.columns)",
        EQUAL,
        BATCHES,
    ),
    _in(
        "decode",
        "Channels of positions are not matched",
        "steps, shift = steps[-channels:], shift[-channels:]",
        "steps, shift = steps[:channels], shift[:channels]",
        f"{FORWARD}::test_prompt_and_steps_may_give_positions_in_different_forms",
    ),
    _in(
        "masks",
        "Filler and padding are seen in the prefill",
        "attention_mask=valid,",
        "attention_mask=None,",
        f"{BATCHES}::test_samples_with_different_numbers_of_visual_tokens",
        EQUAL,
    ),
    _in(
        "masks",
        "Filler and padding are seen in decode steps",
        "past = frame.valid\n    if past is None:",
        "past = None\n    if past is None:",
        f"{BATCHES}::test_samples_with_different_numbers_of_visual_tokens",
        EQUAL,
    ),
    _in(
        "masks",
        "Eager attention blocks what it may see",
        "blocked.masked_fill(~keys,",
        "blocked.masked_fill(keys,",
        BATCHES,
    ),
)

SHARED = (
    _in(
        "prefix",
        "A stage that keeps all counts as the first cut",
        "if method.total(s, num_visual) < num_visual]",
        "if method.total(s, num_visual) <= num_visual]",
        SHARING,
    ),
    _in(
        "prefix",
        "What a method reads in the layers need not be known",
        "if needed <= self.outputs.keys() and read <= self.inside.keys():",
        "if needed <= self.outputs.keys():",
        SHARING,
    ),
    _in(
        "sharing",
        "Known layers go for a prompt that was shortened",
        "if hidden.shape[1] != self.prefix.length:",
        "if hidden.shape[1] > self.prefix.length:",
        SHARING,
    ),
    _in(
        "sharing",
        "Layers that are passed by leave no keys",
        "put_in(cache, index, *self.prefix.cache[index])",
        "pass",
        SHARING,
    ),
    _in(
        "sharing",
        "A layer's forward stays replaced",
        "swapped.callback(restore)",
        "swapped.callback(lambda: None)",
        SHARING,
    ),
    _in(
        "several",
        "An answer's token sees the one after it",
        "seen.tril(keys - queries)",
        "seen.tril(keys - queries + 1)",
        SEVERAL,
    ),
    _in(
        "several",
        "All layers get the mask of the first",
        "self.in_layers = True",
        "self.in_layers = False",
        SEVERAL,
    ),
)

FRAMES = (
    _in(
        "frames",
        "Rows that drop more leave their filler unmasked",
        "ragged = max(counts) != removed",
        "ragged = False",
        f"{BATCHES}::test_samples_with_different_numbers_of_visual_tokens",
    ),
    _in(
        "frames",
        "As many columns go as the greediest row drops",
        "removed = min(counts)",
        "removed = max(counts)",
        f"{BATCHES}::test_samples_with_different_numbers_of_visual_tokens",
    ),
    _in(
        "frames",
        "What stays loses its order",
        "index = order[:, removed:].sort(-1).values",
        "index = order[:, removed:].sort(-1, descending=True).values",
        EQUAL,
    ),
    _in(
        "frames",
        "Fresh positions of padded rows have gaps",
        "fresh = first + valid.long().cumsum(-1) - 1",
        "fresh = first + 2 * (valid.long().cumsum(-1) - 1)",
        f"{BATCHES}::test_samples_with_different_numbers_of_visual_tokens",
        EQUAL,
    ),
    _in(
        "frames",
        "The shift of a padded row is that of its filler",
        "before = positions.masked_fill(~valid, low).amax(-1)",
        "before = positions.amax(-1)",
        BATCHES,
        EQUAL,
    ),
    _in(
        "frames",
        "A second stage forgets the first one's shift",
        "return fresh, frame.shift + positions[..., -1] - fresh[..., -1]",
        "return fresh, positions[..., -1] - fresh[..., -1]",
        EQUAL,
    ),
    _in(
        "frames",
        "Visual tokens stay marked after they were dropped",
        "(frame.visual & ~drop).gather(1, index)",
        "frame.visual.gather(1, index)",
        f"{BATCHES}::test_samples_with_different_numbers_of_visual_tokens",
    ),
    _in(
        "frames",
        "Renumbering is forgotten by a stage that keeps positions",
        "frame.renumbered or renumber,",
        "renumber,",
        f"{FORWARD}::test_a_stage_that_keeps_positions_keeps_those_counted_before_it",
    ),
    _in(
        "frames",
        "Layers see the frame of the layer before",
        "if first <= index)",
        "if first < index or first == 0)",
        EQUAL,
    ),
    _in(
        "frames",
        "Rows count as equal by their first input alone",
        "same = all(torch.equal(tensor[row], tensor[row - 1]) for tensor in given)",
        "same = torch.equal(given[0][row], given[0][row - 1])",
        f"{BATCHES}::test_equal_embeddings_with_different_visual_masks",
        f"{BATCHES}::test_equal_embeddings_with_different_padding",
    ),
    _in(
        "frames",
        "Every row follows the first",
        "first.append(first[-1] if same else row)",
        "first.append(first[-1])",
        BATCHES,
    ),
    _in(
        "frames",
        "Equal rows are scored one by one",
        "first.append(first[-1] if same else row)",
        "first.append(row)",
        f"{GENERATE}::test_beams_of_one_prompt_are_scored_once",
    ),
)

CHOICE = (
    _in(
        "chooser",
        "A stage renumbers whatever was asked for",
        'stage.positions == "renumber")\n        prefill',
        'stage.positions != "")\n        prefill',
        EQUAL,
    ),
    _in(
        "chooser",
        "Merged tokens are not put into the states",
        "states = _put(states, number, kept, record.scores.merge.states)",
        "states = states.clone()",
        f"{MERGING}::test_downsampling_averages_neighbours",
    ),
    _in(
        "chooser",
        "Merged tokens stand in the method's order though positions are kept",
        'return between or self._spec.adds_by_place or stage.positions == "keep"',
        "return between or self._spec.adds_by_place",
        f"{MERGING}::test_kept_positions_are_those_of_the_patches_that_stand_there",
    ),
    _in(
        "chooser",
        "Merged tokens pass the words between crops",
        "return between or self._spec.adds_by_place or",
        "return self._spec.adds_by_place or",
        f"{APART}::test_no_patch_passes_the_words_that_name_its_crop",
    ),
    _in(
        "chooser",
        "Merged tokens get the features of the slots they stand in",
        "return between or self._spec.adds_by_place or",
        "return between or",
        f"{APART}::test_features_between_layers_follow_the_content",
    ),
    _in(
        "chooser",
        "A token without an anchor stands for the first one",
        "stands_for = torch.where(merge.anchors >= 0, own, -1)",
        "stands_for = own",
        f"{MERGING}::test_visionzip_counts_cls_and_orders_as_published",
        MERGING,
    ),
    _in(
        "chooser",
        "The prompt's last token may be dropped",
        "if counts[row.number] and not len(row.after_image):",
        "if counts[row.number] and len(row.after_image) > 10**6:",
        REFUSALS,
    ),
    _in(
        "chooser",
        "A later stage counts from the first budget",
        "budget = min(method.count_now(stage.stage, selection.row.num_visual, left), len(alive))",
        "budget = min(method.count(stage.stage, selection.row.num_visual), len(alive))",
        APART,
        MERGING,
    ),
    _in(
        "context",
        "TTV is read at the newest frame's places",
        "places = self._selection.places(self._prefill.frames.at(index))",
        "places = self._selection.places(self._prefill.frames.newest)",
        SIGNALS,
    ),
    _in(
        "context",
        "Own attention is read with the next layer's weights",
        "attention = layers[self.layer - 1].self_attn",
        "attention = layers[self.layer].self_attn",
        SIGNALS,
    ),
    _in(
        "context",
        "The next layer's norm is left out",
        "normed = following.input_layernorm(self._hidden)",
        "normed = self._hidden",
        SIGNALS,
        "tests/golden",
    ),
    _in(
        "context",
        "All text counts for the question's words",
        "chosen = after[marks.to(after.device)]",
        "chosen = after",
        "tests/pruning/test_peers.py::test_only_content_words_of_the_question_are_asked",
    ),
    _in(
        "context",
        "The grid of the batch's first image is taken for every row's",
        "for grids in record.blocks[self._images(record)] for block in grids)",
        "for grids in record.blocks[:1] for block in grids)",
        f"{BATCHES}::test_two_images_in_one_prompt",
    ),
    _in(
        "signals",
        "Attention is averaged with another row's rotary tables",
        "table[row if table.shape[0] > 1 else 0] for",
        "table[0] for",
        "tests/pruning/test_batches.py",
        EQUAL,
    ),
    _in(
        "signals",
        "Attention read from outside sees padding and filler",
        "own, frame.row_valid(row)).mean(0)",
        "own, None).mean(0)",
        BATCHES,
        EQUAL,
    ),
    _in(
        "signals",
        "Query and key norms are left out",
        'if hasattr(attention, "q_norm"):',
        'if hasattr(attention, "no_norm"):',
        SIGNALS,
        "tests/pruning/test_support.py",
    ),
)

PROMPT = (
    _in(
        "prompt",
        "Text before the image asks it too",
        "after = text[text > image.nonzero().max()] if len(columns) else text[:0]",
        "after = text if len(columns) else text[:0]",
        SIGNALS,
    ),
    _in(
        "prompt",
        "A newline that ends the image asks it",
        "text[text > image.nonzero().max()]",
        "text[text > columns.max()]",
        NEWLINES,
    ),
    _in(
        "prompt",
        "Padding counts as text",
        "text = (~visual & real).nonzero().squeeze(-1)",
        "text = (~visual).nonzero().squeeze(-1)",
        EQUAL,
        BATCHES,
    ),
    _in(
        "prompt",
        "A row gets the images of the row before",
        "return None if found is None else found[row.number]",
        "return None if found is None else found[max(row.number - 1, 0)]",
        f"{BATCHES}::test_two_images_in_one_prompt",
        EQUAL,
    ),
    _in(
        "prompt",
        "Beams get the images in turn",
        "rows += [slice(first, image)] * repeats",
        "rows += [slice(first, image)]",
        GENERATE,
    ),
    _in(
        "visible",
        "Newlines are found in one precision only",
        "for narrow in (embeds.dtype, torch.bfloat16, torch.float16):",
        "for narrow in (embeds.dtype,):",
        f"{APART}::test_newlines_are_found_under_autocast",
    ),
    _in(
        "visible",
        "The encoder's record keeps its newlines",
        "return vision if self._newline is None else vision.without_newlines()",
        "return vision",
        NEWLINES,
    ),
    _in(
        "visible",
        "Newlines are visual whatever was asked for",
        'adapter.newline(model) if newlines == "text" else None',
        'adapter.newline(model) if newlines == "none" else None',
        NEWLINES,
    ),
    _in(
        "inputs",
        "A mask given per sample goes to the beams in turn",
        "return rows.repeat_interleave(batch // rows.shape[0], dim=0)",
        "return rows.repeat(batch // rows.shape[0], 1)",
        GENERATE,
    ),
    _in(
        "inputs",
        "A shortened prompt keeps the positions of its places",
        '"position_ids": frame.positions,',
        '"position_ids": None,',
        EQUAL,
    ),
    _in(
        "inputs",
        "A shortened prompt has no mask where its positions have gaps",
        'changed["attention_mask"] = torch.ones_like(frame.columns)',
        "pass",
        FORWARD,
        EQUAL,
    ),
)

REFUSING = (
    _in(
        "checks",
        "A second turn goes on from a pruned cache",
        "if new > 1:",
        "if new > 10**6:",
        REFUSALS,
    ),
    _in(
        "checks",
        "Assisted decoding is let through",
        "if assistant or any(",
        "if any(",
        REFUSALS,
    ),
    _in(
        "checks",
        "Chunked prompts are let through",
        'getattr(settings, "prefill_chunk_size", None) is not None',
        'getattr(settings, "prefill_chunk_size", None) == -1',
        REFUSALS,
    ),
    _in(
        "checks",
        "Static caches are let through",
        'if not grows or getattr(cache, "is_compileable", False):',
        'if getattr(cache, "nothing", False):',
        REFUSALS,
    ),
    _in(
        "checks",
        "Packed sequences are let through",
        "bool((positions.diff(dim=-1) != 1).any())",
        "bool((positions.diff(dim=-1) > 10**6).any())",
        CORNERS,
    ),
    _in(
        "checks",
        "A record of another encoder layer is taken",
        "if wanted not in recorded:",
        "if wanted == -1:",
        "tests/models/test_encoder_choices.py",
    ),
    _in(
        "hooks",
        "Hooks stay after an error",
        "handles.callback(handle.remove)",
        "handles.callback(lambda: None)",
        REFUSALS,
    ),
    _in(
        "hooks",
        "Recorded hidden states are those before pruning",
        "_after_layer(runner, stage), prepend=True)",
        "_after_layer(runner, stage))",
        f"{EQUAL}::test_kept_states_at_the_stage_are_untouched",
    ),
    _in(
        "hooks",
        "Deepstack's step stays as it was",
        "runner.deepstack = Deepstack(stack, runner.columns)",
        "runner.deepstack = Deepstack(stack, lambda: runner.prefill.frames.full.columns)",
        "tests/models/test_qwen3.py",
        EQUAL,
    ),
    _in(
        "api",
        "A model may be pruned twice at once",
        "if stack in _ACTIVE:",
        "if stack is None:",
        REFUSALS,
    ),
    _in(
        "api",
        "A model stays taken after an error",
        "_ACTIVE.discard(stack)",
        "_ACTIVE.add(stack)",
        REFUSALS,
    ),
    _in(
        "runner",
        "A late image is let through",
        "if inputs.length > 1 and not several:",
        "if inputs.length > 10**6:",
        CORNERS,
    ),
    _in(
        "runner",
        "Any cache is taken for that of the prefill",
        "if prefill is None or not prefill.filled(inputs.cache):",
        "if prefill is None:",
        REFUSALS,
    ),
)

TELLING = (
    _in(
        "observer",
        "The softmax of TTV takes in padding",
        'mask=frame.visual if spec.scope == "image" else frame.valid,',
        'mask=frame.visual if spec.scope == "image" else None,',
        EQUAL,
        BATCHES,
    ),
    _in(
        "observer",
        "TTV is normalised over the whole batch",
        "per_sample=True,",
        "per_sample=False,",
        EQUAL,
        BATCHES,
    ),
    _in(
        "observer",
        "TTV of the FFN replaces that of attention",
        "value if earlier is None else earlier + value",
        "value",
        SIGNALS,
        "tests/golden",
    ),
    _in(
        "observer",
        "The FFN's share of the residual is measured against the layer's input",
        "self._stream = self._stream + output",
        "self._stream = self._stream + 0",
        SIGNALS,
    ),
    _in(
        "report",
        "A trace tells kept tokens by their slots",
        "kept = _array(record.after[record.kept], np.int64)",
        "kept = _array(record.kept, np.int64)",
        f"{MERGING}::test_visionzip_counts_cls_and_orders_as_published",
    ),
    _in(
        "report",
        "Recorded rows are told at the wrong tokens",
        "out[index, tokens[known]] =",
        "out[index, np.sort(tokens[known])[::-1]] =",
        SIGNALS,
    ),
    _in(
        "report",
        "Patches of a token without an anchor are told as the first token's",
        "stands_for = np.where(anchors >= 0, alive[np.maximum(anchors, 0)], -1)",
        "stands_for = alive[np.maximum(anchors, 0)]",
        f"{MERGING}::test_patches_in_a_token_that_stands_for_none_are_told_as_lost",
    ),
    _in(
        "giveback",
        "What was dropped by hand is given back",
        '{*trace.kept.tolist(), *trace.pins("drop")}',
        "{*trace.kept.tolist()}",
        PINNED,
    ),
    _in(
        "giveback",
        "Giving back does not raise the budget",
        "extra = before.extra + len(tokens)",
        "extra = before.extra",
        PINNED,
    ),
)

PRUNING = (*STEPS, *SHARED, *FRAMES, *CHOICE, *PROMPT, *REFUSING, *TELLING)
