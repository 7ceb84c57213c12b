"""Errors around the library's core: sessions, searches, budgets, links, pictures for the page."""

from __future__ import annotations

from tests.mutations.runner import Mutation

SESSION = "tests/engine/test_session.py"
COMPARE = "tests/engine/test_compare_many.py"
SWEEPS = "tests/engine/test_sweeps.py"
MEMORY = "tests/engine/test_memory.py"
RUNS = "tests/engine/test_runs.py"
SHELF = "tests/engine/test_shelf.py"
LINKS = "tests/ui/test_exporting.py"
PREVIEWS = "tests/ui/test_previews.py::test_what_is_sure"
KNOWLEDGE = "tests/models/test_knowledge.py"
FORMS = "tests/unit/test_forms.py"
PAYLOAD = "tests/render/test_payload.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/{file}.py", old, new, tests)


AROUND = (
    _in(
        "engine/images",
        "Pictures are opened in every format that Pillow knows",
        "Image.open(source, formats=[name for name in FORMATS if _known(name)])",
        "Image.open(source)",
        "tests/engine/test_images.py",
    ),
    _in(
        "ui/shared/runs",
        "A copied question that begins with a dash is an option",
        'dashed = any(text.startswith("-") for text in given)',
        "dashed = False",
        "tests/ui/test_exporting.py",
    ),
    _in(
        "methods/spending",
        "A plan may be as deep as memory is large",
        'check_whole(num_layers, "num_layers", 1, MOST_LAYERS)',
        'check_whole(num_layers, "num_layers", 1, 10**5)',
        "tests/cli/test_cli.py",
    ),
    _in(
        "scenes/render",
        "Things of a wide picture come out wide when it is squashed",
        "across, down = item.size / squash**0.5, item.size * squash**0.5",
        "across, down = item.size * squash**0.5, item.size / squash**0.5",
        "tests/training/test_scenes.py",
    ),
    _in(
        "scenes/render",
        "Squashed things leave the picture",
        "most = min(max(item.size, 0.25), 2 * middle, 2 - 2 * middle)",
        "most = max(item.size, 0.25)",
        "tests/training/test_scenes.py",
    ),
    _in(
        "models/core/familiar",
        "One clear thing makes up for an unclear one",
        ".clamp_max(CLEAR_ENOUGH).mean()",
        ".mean()",
        KNOWLEDGE,
    ),
    _in(
        "models/core/familiar",
        "The background counts as unclear",
        "(visual.float().cpu() - self.background)[self.things(visual)]",
        "visual.float().cpu() - self.background",
        KNOWLEDGE,
    ),
    _in(
        "models/core/knowledge",
        "One thing is several",
        "all(counts[one] > 1 for one in wanted)",
        "all(counts[one] > 0 for one in wanted)",
        KNOWLEDGE,
    ),
    _in(
        "scenes/forms",
        "A yes or a no about where a thing is counts as asking for its place",
        "_ONE, (_SPOT, _ASK)",
        "_ONE, (_SPOT,)",
        FORMS,
    ),
    _in(
        "scenes/spelling",
        "Real words are taken for misspelt ones",
        "if word in LOOKALIKES:",
        "if not word:",
        FORMS,
    ),
    _in(
        "engine/breakpoint",
        "Counts that failed are told as holding below the break point",
        "if same and count < fails_at))",
        "if count < fails_at))",
        SWEEPS,
    ),
    _in(
        "engine/breakpoint",
        "The largest failing count is the smallest",
        "fails_at = max((count for count, same in known.items() if not same), default=0)",
        "fails_at = min((count for count, same in known.items() if not same), default=0)",
        SWEEPS,
    ),
    _in(
        "engine/breakpoint",
        "The search stops two tokens early",
        "return self.kept - self.fails_at == 1",
        "return self.kept - self.fails_at <= 2",
        SWEEPS,
    ),
    _in(
        "engine/curves",
        "One of two equal counts is enough",
        "point.exact_match and found.get(point.kept, True)",
        "point.exact_match or found.get(point.kept, False)",
        SWEEPS,
    ),
    _in(
        "engine/agreement",
        "Overlap is told of one method of a pair alone",
        "matrix[row, column] = matrix[column, row] = shared",
        "matrix[row, column] = shared",
        COMPARE,
    ),
    _in(
        "engine/compare",
        "Merged tokens are compared with chosen patches",
        "chose = [name for name, trace in traces.items() if not trace.has_groups]",
        "chose = list(traces)",
        COMPARE,
    ),
    _in(
        "engine/agreement",
        "Chains of like methods are joined at the wrong ends",
        "overlaps[ends[0][-1], ends[1][0]]",
        "overlaps[ends[0][0], ends[1][-1]]",
        COMPARE,
    ),
    _in(
        "engine/curves",
        "The median draw is what a method must beat",
        "for end in (0, 2)",
        "for end in (0, 1)",
        "tests/ui/test_sweeptables.py",
    ),
    _in(
        "engine/curves",
        "Chance is judged by the patches left at the end",
        "compute = point.layer_average",
        "compute = point.kept",
        "tests/ui/test_sweeptables.py",
    ),
    _in(
        "engine/sweeps",
        "Every draw is of the same subset",
        "seed=seed,",
        "seed=0,",
        SWEEPS,
    ),
    _in(
        "render/styles",
        "As many marks as colours, so that pairs come again",
        "*MARKS[at % len(MARKS)]",
        "*MARKS[at % len(COLOURS)]",
        "tests/render/test_styles.py",
    ),
    _in(
        "engine/session",
        "Another question about the picture gets the first one's answer",
        'key = "baseline", prepared.key, settings',
        'key = "baseline", (prepared.picture, ""), settings',
        SESSION,
    ),
    _in(
        "engine/session",
        "A baseline without signals serves those who want them",
        'richer = "baseline", prepared.key, replace(settings, signals=True)',
        'richer = "baseline", prepared.key, replace(settings, signals=False)',
        COMPARE,
        SESSION,
    ),
    _in(
        "engine/session",
        "A stopped baseline is remembered",
        "if not found.answer.stopped:",
        "if found.answer.token_ids:",
        SESSION,
    ),
    _in(
        "engine/memory",
        "Everything is remembered for ever",
        "while self.size > self.limit:",
        "while self.size > 10**15:",
        MEMORY,
    ),
    _in(
        "engine/memory",
        "What was used last goes first",
        "self._held.move_to_end(key)",
        "self._held.move_to_end(key, last=False)",
        MEMORY,
    ),
    _in(
        "engine/guessing",
        "A word that is nearly as likely as another counts as certain",
        "best - second > near",
        "best - second >= 0.0",
        RUNS,
    ),
    _in(
        "engine/guessing",
        "The cache keeps what was guessed wrong",
        "crop(self.cache, len(self._guessed) - ids.shape[1])",
        "crop(self.cache, 0)",
        RUNS,
    ),
    _in(
        "engine/guessing",
        "The baseline's answer goes on from the wrong token",
        "crop(told.cache, told.cache.get_seq_length() - length - fed)",
        "crop(told.cache, 0)",
        RUNS,
    ),
    _in(
        "engine/runs",
        "Layers that were passed by have no signals",
        "baseline.signals[name][:passed], values[passed:]",
        "values[:passed], values[passed:]",
        RUNS,
    ),
    _in(
        "engine/runs",
        "TTV as the baseline reads it stands in for any other",
        "if settings.signals and read is not None and",
        "if settings.signals and read is None and",
        RUNS,
    ),
    _in(
        "engine/session",
        "A method reads the encoder layer that is on record",
        "asked = (needs.encoder_layer, *needs.further_layers) if",
        "asked = (None, *needs.further_layers) if",
        "tests/models/test_encoder_choices.py",
    ),
    _in(
        "engine/shelf",
        "The model used last goes first",
        "self._held.move_to_end(name)",
        "self._held.move_to_end(name, last=False)",
        SHELF,
    ),
    _in(
        "engine/shelf",
        "The embedded model counts as a large one",
        "large = [key for key in self._held if key != EMBEDDED]",
        "large = list(self._held)",
        SHELF,
    ),
    _in(
        "engine/shelf",
        "Any model may be named",
        "typed = isinstance(name, str) and self.any_name",
        "typed = isinstance(name, str)",
        SHELF,
    ),
    _in(
        "ui/tabs",
        "What runs of the embedded model suggest is set for any model",
        "tip = examples[0].tip(0) if opening else None",
        "tip = examples[0].tip(0) if examples else None",
        "tests/ui/test_loading_page.py",
    ),
    _in(
        "ui/ask/links",
        "A link forgets what was pinned",
        "pins=_read_pins(values) if example else Pins(),",
        "pins=Pins(),",
        LINKS,
        "tests/ui/test_pins_page.py",
    ),
    _in(
        "ui/ask/links",
        "Pins of a link fall on a picture that it does not hold",
        "pins=_read_pins(values) if example else Pins(),",
        "pins=_read_pins(values),",
        "tests/ui/test_pins_page.py",
    ),
    _in(
        "ui/ask/links",
        "A link loads a model that is not on offer",
        '{"model": shown.model} if shown.model in offered else {}',
        '{"model": shown.model}',
        LINKS,
        "tests/ui/test_loading_page.py",
    ),
    _in(
        "ui/ask/links",
        "The command line counts tokens another way than the run",
        'parts = [] if own else ["--positions", trace.positions]',
        "parts: list[str] = []",
        LINKS,
    ),
    _in(
        "ui/ask/links",
        "A link's budget may be anything",
        "return value if low <= value <= high else default",
        "return value",
        LINKS,
    ),
    _in(
        "ui/shared/previews",
        "Every preview of one stage is called sure",
        '"nested": method.nested and single,',
        '"nested": single,',
        PREVIEWS,
    ),
    _in(
        "ui/shared/previews",
        "No preview is called sure",
        '"nested": method.nested and single,',
        '"nested": False,',
        PREVIEWS,
    ),
    _in(
        "render/payload",
        "A patch with no value is told as the smallest",
        "codes = np.where(known, 1 + np.rint(unit.clip(0, 1) * (CODES - 1)), 0)",
        "codes = 1 + np.rint(unit.clip(0, 1) * (CODES - 1))",
        PAYLOAD,
    ),
    _in(
        "render/payload",
        "A later stage's scores are told of the first patches",
        "full[alive] = values",
        "full[: len(alive)] = values",
        PAYLOAD,
    ),
    _in(
        "render/scales",
        "Ties in a layer rank with the first of them",
        "(left + right - 1) / 2 / max(count - 1, 1)",
        "left / max(count - 1, 1)",
        "tests/render/test_layers.py",
    ),
)
