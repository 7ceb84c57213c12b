"""Errors in what is known of model families: encoder records, layouts, decoders."""

from __future__ import annotations

from tests.mutations.runner import Mutation

CHOICES = "tests/models/test_encoder_choices.py"
EQUAL = "tests/pruning/test_equivalence.py"
SIGNALS = "tests/pruning/test_signals.py"
APART = "tests/pruning/test_merging_apart.py"
GOLDEN = "tests/golden"
GEOMETRY = "tests/unit/test_geometry.py"
NEXT = "tests/models/test_llava_next.py"
DAMAGED = "tests/unit/test_damaged_folders.py"
QWEN = "tests/models/test_qwen.py"


def _in(file: str, name: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, f"pruneviz/models/{file}.py", old, new, tests)


MODELS = (
    _in(
        "core/whole",
        "Weights that the model has no place for are passed by",
        'report.get("unexpected_keys") or ()',
        "()",
        DAMAGED,
    ),
    _in(
        "core/whole",
        "A weight of another shape is drawn at random",
        '("hold weights of another shape", other),',
        "",
        DAMAGED,
    ),
    _in(
        "core/whole",
        "No damaged weight is found",
        "return bool(torch.isfinite(low.double() + high.double()))",
        "return True",
        DAMAGED,
    ),
    _in(
        "core/whole",
        "A question that the template leaves out is not missed",
        'if prompts[0]["input_ids"].shape == ids.shape:',
        "if False:",
        DAMAGED,
    ),
    _in(
        "core/reading",
        "The terminal is asked whether to run code",
        '{"trust_remote_code": False}',
        "{}",
        DAMAGED,
    ),
    _in(
        "core/reading",
        "Advice to run a folder's code is handed on",
        'return OWN_CODE if "trust_remote_code" in text else text',
        "return text",
        DAMAGED,
    ),
    _in(
        "core/knowledge",
        "Single letters are read as the words that were taught",
        'raise ValueError("words is no list of words")',
        "pass",
        "tests/models/test_knowledge.py",
    ),
    _in(
        "core/vision",
        "FoPru reads all images for each",
        "query, key, scaling = project(self.attention, self.hidden[images])\n"
        "        first = 0 if include_cls",
        "query, key, scaling = project(self.attention, self.hidden)\n"
        "        first = 0 if include_cls",
        "tests/pruning/test_batches.py::test_two_images_in_one_prompt",
    ),
    _in(
        "core/vision",
        "A method gets the features of another image",
        "start, features = self.leading, self.output[images]",
        "start, features = self.leading, self.output.flip(0)[images]",
        APART,
        "tests/pruning/test_merging.py",
    ),
    _in(
        "core/vision",
        "Significance is shifted by the CLS token",
        "return larger_variance(received, emitted)[:, self.leading - first :].flatten()",
        "return larger_variance(received, emitted).roll(1, 1)[:, self.leading - first :].flatten()",
        SIGNALS,
    ),
    _in(
        "core/vision",
        "Attention from CLS is averaged over all queries",
        "return first_query_attention(query, key, scaling)[:, self.leading :]",
        "return self_attention_means(query, key, scaling, 0)[0][:, self.leading :]",
        GOLDEN,
    ),
    _in(
        "core/vision",
        "The last layer's heads are taken one by one",
        "scaling = query.shape[-1] ** -0.5",
        "scaling = 2 * query.shape[-1] ** -0.5",
        "tests/pruning/test_choices.py",
    ),
    _in(
        "core/towers",
        "An encoder layer counted from the end is one too early",
        "index = encoder_layer - 1 if encoder_layer > 0 else count + encoder_layer",
        "index = encoder_layer - 1 if encoder_layer > 0 else count + encoder_layer - 1",
        CHOICES,
    ),
    _in(
        "core/deepstack",
        "Features between layers are those of the next token",
        "rank = mask.flatten().cumsum(0).view_as(mask) - 1",
        "rank = (mask.flatten().cumsum(0).view_as(mask)).clamp_max(len(features) - 1)",
        "tests/models/test_qwen3.py",
        EQUAL,
    ),
    _in(
        "core/deepstack",
        "The stack's own step does not come back",
        "delattr(self._stack, STEP)",
        "pass",
        "tests/models/test_qwen3.py",
    ),
    _in(
        "core/words",
        "Words of the task count as the question's",
        "return lower not in FUNCTION_WORDS and lower not in TASK_WORDS",
        "return lower not in FUNCTION_WORDS",
        "tests/unit/test_words.py",
    ),
    _in(
        "core/words",
        "Only the first token of a word is marked",
        "return [any(inside[start:end]) for start, end in offsets]",
        "return [any(inside[start:end]) and start in dict(wanted) for start, end in offsets]",
        "tests/unit/test_words.py",
    ),
    _in(
        "llava",
        "The centre crop lies at the left",
        'x = (resized[0] - crop["width"]) // 2',
        "x = 0",
        GEOMETRY,
    ),
    _in(
        "llava",
        "A CLS token that the LLM gets has a place in the picture",
        "leading=int(has_cls and not drops_first)",
        "leading=0",
        "tests/pruning/test_corner_cases.py",
    ),
    _in(
        "llava_next/layout",
        "Tiles are read column by column",
        "row = tile // self.tiles[1] * self.side + patch // self.side",
        "row = tile % self.tiles[1] * self.side + patch // self.side",
        NEXT,
    ),
    _in(
        "llava_next/layout",
        "A newline is of the whole picture's crop",
        "torch.where(own < 0, -1, torch.arange(len(own))).cummax(0).values",
        "torch.where(own < 0, -1, torch.arange(len(own)))",
        "tests/pruning/test_newlines.py::test_a_newline_is_of_the_crop_that_its_row_ends_in",
    ),
    _in(
        "llava_next/layout",
        "A newline ranks with the worst token",
        "torch.where(source < 0, values.max(), values[source.clamp_min(0)])",
        "torch.where(source < 0, values.min(), values[source.clamp_min(0)])",
        NEXT,
    ),
    _in(
        "core/tiles",
        "The whole picture is told as the first tile",
        "last = self.crops - 1\n",
        "last = 0 if self.crops == 1 else self.crops - 2\n",
        "tests/models/test_idefics.py",
        "tests/models/test_internvl.py",
    ),
    _in(
        "core/tiles",
        "A token has the attention of one of its patches",
        "side, columns // side, side).mean((2, 4)).flatten()",
        "side, columns // side, side)[:, :, 0, :, 0].flatten()",
        "tests/models/test_idefics.py",
        "tests/models/test_internvl.py",
    ),
    _in(
        "qwen_vl/vision",
        "Windows are read row by row of the picture",
        "starts = range(0, columns, window)",
        "starts, window = [0], columns",
        QWEN,
    ),
    _in(
        "qwen_vl/vision",
        "The encoder's queries are not rotated",
        "_rotate(rows.float(), cos, sin).transpose(1, 2)",
        "rows.float().transpose(1, 2)",
        QWEN,
    ),
    _in(
        "qwen_vl/vision",
        "The first block with full attention is read",
        "max(full) if full else -1",
        "min(full) if full else -1",
        QWEN,
        CHOICES,
    ),
)
