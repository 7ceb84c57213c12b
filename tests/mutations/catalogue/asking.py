"""Errors in what methods ask and answer: needs, encoder layers, checks, finite values, counts."""

from __future__ import annotations

from tests.mutations.runner import Mutation

COUNTING = "tests/pruning/test_counting.py"
FINITE = "tests/pruning/test_finite.py"
NEW_TOKENS = (
    "tests/pruning/test_invariant.py::test_new_tokens_are_used_where_there_are_as_many_as_before"
)
MISTAKES = "tests/newcomer/test_mistakes.py"
PEERS = "tests/pruning/test_peers.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


AS_MANY = (
    _in(
        "pruning/chooser",
        "New tokens are not used where there are as many as before",
        "if states is hidden:\n                return None",
        "return None",
        NEW_TOKENS,
    ),
    _in(
        "pruning/chooser",
        "New tokens are written over the states of the layer before",
        "return hidden.scatter(1, places",
        "return hidden.scatter_(1, places",
        NEW_TOKENS,
    ),
    _in(
        "pruning/prefill",
        "New tokens are given the states before the stage where the model adds features",
        "if cut.states is not entering:",
        "if cut.states is None:",
        NEW_TOKENS,
    ),
)

READING = (
    _in(
        "pruning/spec",
        "Encoder layers are told apart by the order in which they ran",
        "return {place: latest[index] for place, index in enumerate(wanted) if index in latest}",
        "return dict(enumerate(records[: len(list(wanted))]))",
        f"{PEERS}::test_records_of_both_layers_may_be_given_in_any_order",
        f"{PEERS}::test_hiprune_reads_both_layers_of_the_encoder",
    ),
    _in(
        "pruning/spec",
        "The further layers change places with the first",
        "return (needs.encoder_layer, *needs.further_layers)",
        "return (*needs.further_layers, needs.encoder_layer)",
        f"{PEERS}::test_records_of_both_layers_may_be_given_in_any_order",
        f"{PEERS}::test_hiprune_reads_both_layers_of_the_encoder",
    ),
    _in(
        "pruning/context",
        "Every layer's attention is that of the first",
        "seen.read(record.received_from_all) for record",
        "seen.read(seen.record.received_from_all) for record",
        f"{PEERS}::test_records_of_both_layers_may_be_given_in_any_order",
        f"{PEERS}::test_hiprune_reads_both_layers_of_the_encoder",
    ),
    _in(
        "models/core/vision",
        "Attention received leaves CLS out of the queries",
        "0)[0][:, self.leading :].flatten()",
        "self.leading)[0].flatten()",
        f"{PEERS}::test_hiprune_reads_both_layers_of_the_encoder",
    ),
    _in(
        "models/llava_next/records",
        "Tiles tell CLS attention for that of all queries",
        "return self._packed(self.crops.received_from_all, images)",
        "return self._packed(self.crops.received, images)",
        f"{PEERS}::test_tiles_are_looked_at_from_all_queries_of_their_own",
    ),
    _in(
        "methods/base/needs",
        "Only the first of two methods has further layers",
        "further_layers=self.further_layers + other.further_layers,",
        "further_layers=self.further_layers,",
        f"{PEERS}::test_needs_of_two_methods_hold_the_further_layers_of_both",
    ),
    _in(
        "methods/base/needs",
        "Only the first of two methods has its patches laid out",
        "grid=self.grid or other.grid,",
        "grid=self.grid,",
        f"{PEERS}::test_needs_of_two_methods_hold_the_further_layers_of_both",
    ),
    _in(
        "engine/session",
        "A session records the first layer alone",
        "further=tuple(filter(None, further))",
        "further=()",
        f"{PEERS}::test_a_session_records_both_layers",
    ),
    _in(
        "pruning/checks",
        "Records of the further layers may be missing",
        "for encoder_layer in (needs.encoder_layer, *needs.further_layers):",
        "for encoder_layer in (needs.encoder_layer,):",
        f"{PEERS}::test_a_record_that_lacks_a_further_layer_is_refused",
    ),
)

DECLARING = (
    _in(
        "pruning/context",
        "TTV may be asked for undeclared",
        "missing = [layer for layer in layers if asked is None or layer not in asked.layers]",
        "missing: list[int] = []",
        MISTAKES,
    ),
    _in(
        "pruning/context",
        "What the encoder left may be asked for undeclared",
        "if not self._spec.policy.needs.encoder:",
        "if self._spec.policy.needs.encoder is None:",
        MISTAKES,
    ),
    _in(
        "pruning/context",
        "Raters may be asked for undeclared",
        'raise _undeclared("raters=True", "raters")',
        "return self._row.after_image",
        MISTAKES,
    ),
    _in(
        "pruning/context",
        "Queries that there are not are those after the image",
        'if queries != "after_image":',
        'if queries == "":',
        MISTAKES,
    ),
    _in(
        "pruning/context",
        "Keys and attention of the pruning layer may be asked for undeclared",
        'raise _undeclared("own_attention=True", f"{what.lower()} of the pruning layer")',
        "self._running.normed = self._hidden",
        f"{PEERS}::test_keys_have_to_be_declared",
        f"{MISTAKES}::test_attention_inside_the_layer_has_to_be_declared",
    ),
    _in(
        "pruning/context",
        "What is recorded may be asked for undeclared",
        "if self._running.normed is None or not self._spec.policy.needs.own_attention:",
        "if self._running.normed is None:",
        f"{PEERS}::test_keys_have_to_be_declared",
    ),
)

ANSWERING = (
    _in(
        "methods/base/method",
        "No answer is looked at",
        "check_scores(scores, tuple(context.alive.shape), self.title)",
        "pass",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "A column counts as a row of scores",
        "or tuple(values.shape) != shape:",
        "or len(values) != shape[0]:",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "A method may keep nothing",
        "if not 1 <= kept.shape[-1] <= alive:",
        "if not kept.shape[-1] <= alive:",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "A place may be kept twice",
        "(np.diff(places) <= 0).any()",
        "(np.diff(places) < 0).any()",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "The place after the last may be kept",
        "(places >= alive).any()",
        "(places > alive).any()",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "Places may be counted from the end",
        "if (places < 0).any() or",
        "if",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "Places may be a mask",
        "right = isinstance(kept, torch.Tensor) and kept.dtype == torch.int64",
        "right = isinstance(kept, torch.Tensor)",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "More tokens may be made than there were",
        "if not 1 <= made <= alive or",
        "if not 1 <= made or",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "Two tokens may stand for one place",
        "if twice.any() or",
        "if",
        MISTAKES,
    ),
    _in(
        "methods/base/answer",
        "Patches may go into the token after the last",
        "if (merge.into.numpy() >= made).any():",
        "if (merge.into.numpy() > made).any():",
        MISTAKES,
    ),
    _in(
        "pruning/chooser",
        "An error of a method's own does not say whose it is",
        'error.add_note(f"({who})")',
        "pass",
        MISTAKES,
    ),
    _in(
        "pruning/chooser",
        "A slip in a method is no PruningError",
        "except (TypeError, LookupError, AttributeError, ArithmeticError) as error:",
        "except OSError as error:",
        MISTAKES,
    ),
    _in(
        "methods/registry",
        "A default that the card does not allow is let through",
        "if default is not None and option.read(str(default)) != default:",
        "if default is not None and option is None:",
        MISTAKES,
    ),
    _in(
        "methods/base/scores",
        "A row is told the notes of all rows",
        "(*self.own_notes[row : row + 1], *self.notes)",
        "(*self.own_notes, *self.notes)",
        "tests/pruning/test_rows.py::test_a_row_is_told_its_own_words",
    ),
    _in(
        "methods/base/scores",
        "Every row is told the first one's scores",
        "self.total[row],",
        "self.total[0],",
        "tests/pruning/test_rows.py::test_a_row_is_told_its_own_words",
    ),
    _in(
        "pruning/state",
        "Every row is told the first one's choice",
        "values[place] for values in own)",
        "values[0] for values in own)",
        "tests/pruning/test_batches.py",
    ),
)

FINITE_VALUES = (
    _in(
        "pruning/finite",
        "Infinity counts as finite",
        "bad = ~np.isfinite(seen)",
        "bad = np.isnan(seen)",
        FINITE,
    ),
    _in(
        "pruning/finite",
        "The first thing noted is blamed",
        "not_finite(names[int(bad.argmax())], self._model)",
        "not_finite(names[0], self._model)",
        FINITE,
    ),
    _in(
        "pruning/finite",
        "What was said is said again",
        "names, largest, self._names, self._largest = self._names, self._largest, [], []",
        "names, largest = self._names, self._largest",
        FINITE,
    ),
    _in(
        "pruning/chooser",
        "Scores are not looked at",
        'doubts.note([f"the scores of {name}" for name in names], scores.total, batched)',
        "pass",
        FINITE,
    ),
    _in(
        "pruning/chooser",
        "The tokens chosen from are not looked at",
        "doubts.note(tokens, context.visual_features(), batched)",
        "pass",
        FINITE,
    ),
    _in(
        "pruning/chooser",
        "A choice that fails over NaN blames the method",
        "doubts.explain(what, context.visual_features(), batched)",
        "pass",
        FINITE,
    ),
    _in(
        "pruning/runner",
        "What the model answers is not looked at",
        "prefill.doubts.note(names, logits[:, -1])",
        "pass",
        FINITE,
    ),
    _in(
        "pruning/chooser",
        "The first row is blamed",
        'row {row.number}" for row in selection.group.rows]',
        'row 0" for row in selection.group.rows]',
        FINITE,
    ),
    _in(
        "pruning/api",
        "What is in doubt at the end of a block is let go",
        "        if runner.prefill is not None:\n            runner.prefill.doubts.settle()",
        "        pass",
        FINITE,
    ),
    _in(
        "pruning/api",
        "A trace of what is in doubt is told",
        "        prefill.doubts.settle()\n        if prefill",
        "        if prefill",
        FINITE,
    ),
    _in(
        "engine/answers",
        "An answer token's place is one too low",
        "int(bad.argmax()) + 1",
        "int(bad.argmax())",
        FINITE,
    ),
)

COUNTED = (
    _in(
        "pruning/counting",
        "A matrix with a vector counts half",
        "self.others += 2 * args[0].numel()",
        "self.others += args[0].numel()",
        COUNTING,
    ),
    _in(
        "pruning/counting",
        "A sum counts as one step",
        "return args[0].numel()\n",
        "return out.numel()\n",
        COUNTING,
    ),
    _in(
        "pruning/counting",
        "Matrix products are not counted",
        "self.products += int(",
        "self.products += 0 * int(",
        COUNTING,
    ),
    _in(
        "pruning/counting",
        "Moving numbers counts as arithmetic",
        "return out.numel() if torch.Tag.pointwise in func.tags and name not in MOVES else 0",
        "return out.numel()",
        COUNTING,
    ),
    _in(
        "pruning/counting",
        "Single operations are left out of the total",
        "return self.products + self.others",
        "return self.products",
        COUNTING,
    ),
    _in(
        "pruning/runner",
        "A second prefill adds to the first one's count",
        "spec.counter.clear()",
        "pass",
        COUNTING,
    ),
    _in(
        "pruning/observer",
        "TTV is no part of choosing",
        "with self._spec.counting() if index in self._read else nullcontext():",
        "with nullcontext():",
        COUNTING,
    ),
    _in(
        "pruning/observer",
        "TTV that is only recorded counts as choosing",
        "with self._spec.counting() if index in self._read else nullcontext():",
        "with self._spec.counting():",
        COUNTING,
    ),
    _in(
        "pruning/chooser",
        "What a method computes is no part of choosing",
        "with self._spec.counting(), _by(",
        "with _by(",
        COUNTING,
    ),
)

ASKING = (*AS_MANY, *READING, *DECLARING, *ANSWERING, *FINITE_VALUES, *COUNTED)
