"""What must hold of a session on any family: the same as `generate` from ids and pixels."""

from __future__ import annotations

import threading

import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pruneviz import FoPru, TransPrune, prune
from pruneviz.engine import (
    Comparison,
    Prepared,
    Session,
    Settings,
    what_matters,
    without_image,
)
from pruneviz.engine.batches import Batch, shape_of
from pruneviz.methods import Method, Pinned, Uniform
from tests.helpers import IMAGE

QUESTION = "where is the cat"
WORDS = "system user assistant You are a helpful where is the cat dog at on left what".split()
SESSION_METHODS: list[Method] = [
    TransPrune(prune_layers=(2, 3, 5), keep_ratios=(0.8, 0.5, 0.2)),
    FoPru(keep_ratio=0.25),
]


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 80).convert("RGB")


def check_session(session: Session, method: Method, size: tuple[int, int]) -> Comparison:
    """Through embeddings and given positions as through ids and pixels; returns the comparison."""
    picture = noise(size)
    prepared = session.prepare(picture, QUESTION)
    assert int(prepared.visual_mask.sum()) == prepared.grid.num_tokens
    done = session.compare(prepared, method, Settings(max_new_tokens=5))
    loaded = session.loaded
    inputs = loaded.adapter.prepare(loaded.processor, loaded.model, picture, QUESTION)
    start = inputs["input_ids"].shape[1]
    plain = loaded.model.generate(**inputs, max_new_tokens=5, do_sample=False)[0, start:]
    with prune(loaded.model, method) as run:
        ours = loaded.model.generate(**inputs, max_new_tokens=5, do_sample=False)[0, start:]
    assert list(done.baseline.token_ids) == plain.tolist()
    assert list(done.pruned.token_ids) == ours.tolist()
    assert done.pruned.trace.kept.tolist() == run.trace.kept.tolist()
    check_unstreamed(session, method, prepared, done)
    check_another_question(session, picture)
    check_batch(session, method, [prepared, session.prepare(noise(size), QUESTION)])
    check_matters(session, prepared)
    check_blind(session, prepared)
    return done


def check_matters(session: Session, prepared: Prepared) -> None:
    """Blocks taken away, in either mode of positions, as single runs without them."""
    settings = Settings(max_new_tokens=5, signals=False)
    for positions in ("keep", "renumber"):
        alone = Session(session.loaded, session.newlines, positions)
        same = alone.prepare(prepared.image, QUESTION)
        found = list(
            what_matters(session, prepared, max_forwards=6, positions=positions, settings=settings)
        )[-1]
        count = len(found.token_ids)
        for number in (0, len(found.blocks) - 1):
            drop = found.blocks[number].tokens.tolist()
            if len(drop) == found.num_visual:
                continue
            single = Pinned(Uniform(keep_ratio=1.0), drop=drop)
            fidelity = alone.compare(same, single, settings).fidelity
            assert fidelity is not None
            wanted = fidelity.answer_logprob * count
            assert abs(found.reference_logprob - found.values[number] - wanted) < 1e-3


def check_blind(session: Session, prepared: Prepared) -> None:
    """Without an image: what generate says to the prompt's text alone, counted from 0."""
    settings = Settings(max_new_tokens=5, signals=False)
    blind = without_image(session, prepared, settings)
    text = ~prepared.visual_mask[0]
    embeds = prepared.inputs["inputs_embeds"][:, text]
    model, ids = session.loaded.model, list[int]()
    stack = session.loaded.adapter.decoder(model)
    for _ in range(5):
        places = torch.arange(embeds.shape[1])[None]
        if stack.multimodal_rope:
            places = places.expand(3, 1, -1)
        states = stack.module(inputs_embeds=embeds, position_ids=places, use_cache=False)
        ids.append(int(model.lm_head(states.last_hidden_state[0, -1]).argmax()))
        said = model.get_input_embeddings()(torch.tensor([ids[-1:]]))
        embeds = torch.cat([embeds, said], dim=1)
    assert list(blind.token_ids) == ids


def check_another_question(session: Session, picture: Image.Image) -> None:
    """About a picture that is encoded already: it starts from what it would start from alone."""
    question = "what is on the left"
    later = session.prepare(picture, question)
    fresh = Session(session.loaded, session.newlines, session.positions)
    alone = fresh.prepare(picture, question)
    assert later.inputs.keys() == alone.inputs.keys()
    for name, value in alone.inputs.items():
        if isinstance(value, torch.Tensor):
            assert later.inputs[name].equal(value), name
    if alone.vision is not None:
        assert later.vision is not None
        assert later.vision.scores().equal(alone.vision.scores())


def check_batch(session: Session, method: Method, questions: list[Prepared]) -> None:
    """Where questions may be asked together, each gets what it gets alone."""
    shapes = {shape_of(one) for one in questions}
    if None in shapes:
        return
    assert len(shapes) == 1
    settings = Settings(max_new_tokens=5, signals=False)
    with session.alone():
        batch = Batch(session, questions, settings, threading.Event())
        unpruned, pruned = batch.unpruned([method]), batch.pruned(method)
    for one, base, answer in zip(questions, unpruned, pruned, strict=True):
        alone = session.compare(one, method, settings)
        assert base.token_ids == alone.baseline.token_ids
        assert answer.token_ids == alone.pruned.token_ids
        assert answer.trace.kept.tolist() == alone.pruned.trace.kept.tolist()


def check_unstreamed(
    session: Session, method: Method, prepared: Prepared, done: Comparison
) -> None:
    """Where nobody watches the answer grow, first layers and guesses give the same."""
    *_, last = session.ask(
        prepared, method, Settings(max_new_tokens=5, signals=False), streamed=False
    )
    again = last.comparison
    assert again is not None
    assert again.pruned.token_ids == done.pruned.token_ids
    assert again.pruned.trace.kept.tolist() == done.pruned.trace.kept.tolist()
    mine, other = again.fidelity, done.fidelity
    assert mine is not None
    assert other is not None
    assert mine.first_divergence == other.first_divergence
    assert mine.first_token_kl == other.first_token_kl
    assert abs(mine.answer_logprob - other.answer_logprob) < 1e-4


def words() -> PreTrainedTokenizerFast:
    """Every id that the tiny models reserve stands for what they reserve it for."""
    special = {3: "<|vision_start|>", 4: "<|vision_end|>", IMAGE: "<|image_pad|>"}
    special |= {6: "<|video_pad|>", 0: "<unk>", 7: "<|im_start|>", 8: "<|im_end|>"}
    vocabulary = {token: number for number, token in special.items()}
    for word in WORDS:
        vocabulary[word] = 10 + len(vocabulary)
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=special[0]))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token=special[0])
    tokenizer.pad_token = special[0]
    tokenizer.add_special_tokens({"additional_special_tokens": list(special.values())})
    return tokenizer
