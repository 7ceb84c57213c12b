"""Errors in what matters: taking away, giving back, judging, live answers, looks, shares."""

from __future__ import annotations

from tests.mutations.runner import Mutation

LOOKING = "tests/engine/test_looking.py"
ROWS = "tests/engine/test_matters_rows.py"
MAPS = "tests/engine/test_matters.py"
LIVE = "tests/engine/test_live.py"
CONTROLS = "tests/engine/test_controls.py"
METRICS = "tests/engine/test_metrics.py"
TRACE = "tests/unit/test_trace.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


ROW = (
    _in(
        "engine/matters/hidden",
        "Gaps are not closed where positions are counted anew",
        "if not self._renumber:",
        "if True:",
        f"{ROWS}::test_hidden_rows_are_masked_runs",
    ),
    _in(
        "engine/matters/hidden",
        "A picture in three dimensions is taken for a count",
        "flat = not (self._renumber and decoder.multimodal_rope)",
        "flat = True",
        f"{ROWS}::test_hidden_rows_are_masked_runs",
    ),
    _in(
        "engine/matters/hidden",
        "What is fed begins behind the first hidden column",
        "return min(int(columns[0]), self._most)",
        "return min(int(columns[-1]), self._most)",
        f"{ROWS}::test_what_stands_before_the_first_hidden_column_is_not_fed_again",
        f"{ROWS}::test_hidden_rows_are_masked_runs",
    ),
    _in(
        "pruning/prompt",
        "Equal rows get one choice, whatever the method says",
        "leaders = range(len(rows)) if policy.apart else leaders",
        "leaders = leaders",
        f"{ROWS}::test_removed_rows_are_masked_runs",
    ),
    _in(
        "engine/matters/removed",
        "Prompts that hand over more than embeddings are put side by side",
        "return inputs.keys() <= ROW_AXES.keys() and bool",
        "return bool",
        f"{ROWS}::test_prompts_that_hand_over_more_than_embeddings_go_one_by_one",
    ),
)

MAP = (
    _in(
        "engine/matters/maps",
        "A rise counts as a fall",
        "return [reference - now for now in taking.scored.sums(logits)]",
        "return [now - reference for now in taking.scored.sums(logits)]",
        f"{MAPS}::test_taking_away_is_what_single_runs_without_the_block_give",
    ),
    _in(
        "engine/matters/maps",
        "What was merged is given back",
        "if any(stage.into is not None or stage.extra for stage in trace.stages):",
        "if False:",
        f"{MAPS}::test_what_cannot_be_given_back_is_refused",
    ),
    _in(
        "engine/matters/blocks",
        "Tokens with no place are taken for cells",
        "np.flatnonzero((part.token_cell >= 0) & counted)",
        "np.flatnonzero((part.token_cell >= -1) & counted)",
        f"{MAPS}::test_blocks_cover_every_part_and_leave_out_what_has_no_place",
    ),
    _in(
        "engine/matters/blocks",
        "More blocks than forwards are allowed",
        "if len(blocks) <= most:\n            return",
        "if blocks:\n            return",
        f"{MAPS}::test_the_finest_blocks_that_are_allowed",
    ),
    _in(
        "engine/matters/batching",
        "A row may take all there is",
        "limit // max(row, 1)))",
        "limit))",
        f"{MAPS}::test_rows_are_bounded_in_bytes",
    ),
    _in(
        "engine/matters/remembering",
        "A map of another question is remembered",
        'return "taken", prepared.key, answer.token_ids, side',
        'return "taken", side',
        "tests/engine/test_against.py::test_one_map_serves_all_methods_and_whoever_asks_again",
    ),
    _in(
        "engine/matters/judging",
        "Where a merged token lies is an opinion",
        "if flat and stage.into is None:",
        "if flat:",
        f"{MAPS}::test_scores_that_say_no_more_than_who_is_kept_are_the_kept_set",
    ),
    _in(
        "render/threshold",
        "A line is drawn through the scores of merged tokens",
        "if stage.into is not None:",
        "if False:",
        "tests/render/test_threshold.py::test_no_line_is_drawn_where_scores_alone_do_not_decide",
    ),
    _in(
        "engine/matters/judging",
        "What rounding could be matters",
        "least = max(effects.noise, FAINT)",
        "least = FAINT",
        f"{MAPS}::test_a_judgement",
    ),
    _in(
        "engine/matters/judging",
        "Whatever is above rounding matters",
        "least = max(effects.noise, FAINT)",
        "least = effects.noise",
        f"{MAPS}::test_judgements_say_when_there_is_little_to_say",
    ),
    _in(
        "engine/matters/judging",
        "A block is dropped if any of it is",
        "if not kept[effects.blocks[n].tokens].any()",
        "if not kept[effects.blocks[n].tokens].all()",
        f"{MAPS}::test_blocks_are_dropped_when_nothing_of_them_is_left",
    ),
    _in(
        "engine/matters/restoring",
        "What is given back takes the place of the method's own",
        "Pinned(before.method, keep, before.drop, before.extra + len(tokens))",
        "Pinned(before.method, keep, before.drop, before.extra)",
        f"{MAPS}::test_what_restores_the_answer_is_verified_by_a_real_run",
    ),
    _in(
        "engine/matters/restoring",
        "The search is not bounded",
        "return self._runs < self._most",
        "return self._runs < 99",
        f"{MAPS}::test_the_search_is_bounded_and_says_that_it_found_nothing",
    ),
)

BESIDE = (
    _in(
        "engine/live",
        "Rounding leaves nothing of a single patch",
        "single = (1 + 1e-9) / num_visual",
        "single = 0.99 / num_visual",
        f"{LIVE}::test_a_ladder_reaches_down_to_one_patch",
    ),
    _in(
        "engine/live",
        "The nearest budgets come last",
        "key=lambda rung: abs(math.log(rung[0] / around))",
        "key=lambda rung: -abs(math.log(rung[0] / around))",
        f"{LIVE}::test_the_nearest_budgets_come_first",
    ),
    _in(
        "engine/live",
        "Of two budgets of one count the later one holds",
        "answer.same and matches.get(answer.kept, True)",
        "answer.same or matches.get(answer.kept, False)",
        f"{LIVE}::test_two_budgets_of_one_count_must_both_hold",
    ),
    _in(
        "engine/controls",
        "The question alone keeps the picture's positions",
        "places = torch.arange(int(text.sum()), device=text.device)",
        "places = torch.arange(len(text), device=text.device)[text]",
        "tests/models/test_qwen.py::test_a_session_gives_what_generate_gives",
    ),
    _in(
        "engine/controls",
        "Better than chance where chance cannot fail",
        'return self.place(fidelity) == "above" and self.same < len(self.draws)',
        'return self.place(fidelity) == "above"',
        f"{CONTROLS}::test_nothing_is_better_where_every_draw_gives_the_answer",
    ),
    _in(
        "metrics",
        "Equal values have different ranks",
        "return np.asarray((ends - (counts - 1) / 2)[group])",
        "return np.asarray(ends[group])",
        f"{METRICS}::test_rank_correlation_is_scipys",
    ),
    _in(
        "engine/answers",
        "The divergence where answers part is that of the first token",
        "else float(kls[apart]),",
        "else float(kls[0]),",
        f"{METRICS}::test_divergence_is_told_where_it_happens",
    ),
    _in(
        "trace",
        "Shares are divided by the tokens that share",
        "return values * np.asarray(sizes",
        "return values / np.asarray(sizes",
        f"{TRACE}::test_shares_are_told_relative_to_an_even_one",
    ),
    _in(
        "pruning/report",
        "Padding and text are forgotten among those that share",
        "stretch.frame.length if mask is None",
        "row.num_visual if mask is None",
        f"{TRACE}::test_shares_are_told_relative_to_an_even_one",
    ),
    _in(
        "engine/runs",
        "Layers that were passed by have no shares",
        "(*baseline.shares[name][:passed], *sizes[passed:])",
        "(*sizes[:passed], *sizes[passed:])",
        "tests/engine/test_runs.py",
    ),
)

LOOKS = (
    _in(
        "pruning/answering",
        "A token of the answer sees those after it",
        "later = later.triu(length - count + 1)",
        "later = later.triu(length)",
        f"{LOOKING}::test_unpruned_it_is_eager_attention",
    ),
    _in(
        "pruning/answering",
        "What is gone gets no attention instead of being absent",
        "(len(seen), self._row.num_visual), torch.nan)",
        "(len(seen), self._row.num_visual), 0.0)",
        f"{LOOKING}::test_pruned_it_is_eager_attention_that_sees_nothing_else",
    ),
    _in(
        "pruning/report",
        "A layer is said to hold what falls after it no more",
        "if record.stage.layer <= index:\n            slots",
        "if record.stage.layer - 1 <= index:\n            slots",
        f"{LOOKING}::test_pruned_it_is_eager_attention_that_sees_nothing_else",
    ),
    _in(
        "render/flow",
        "A layer computes what fell before it",
        "self.layer > index else 0",
        "self.layer >= index else 0",
        "tests/render/test_flow.py",
    ),
    _in(
        "render/flow",
        "What is merged counts as dropped",
        "merged = np.isin(fell, stage.alive[into >= 0])",
        "merged = np.isin(fell, stage.alive[into < -1])",
        "tests/render/test_flow.py",
    ),
)

MATTERS = (*ROW, *MAP, *BESIDE, *LOOKS)
