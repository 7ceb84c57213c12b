"""What the joint stage hides, watches and asks for beside the answers."""

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from pruneviz.scenes.questions import Question
from training.answering import answer_loss
from training.joint import alike_loss, hide
from training.packing import NUM_PATCHES, pack
from training.watching import Watched, Watching, watch

PLACES = torch.arange(NUM_PATCHES).expand(2, -1)


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=900,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=2,
    )
    return LlamaModel(config).eval()


@pytest.fixture(scope="module")
def packed():
    asked = [Question("where", "Where is the cat?", "yes."), Question("what", "What?", "no cat.")]
    return pack([asked, asked[:1]])


def test_things_are_never_hidden_and_numbers_have_no_gaps():
    thing = torch.rand(64, NUM_PATCHES, generator=torch.Generator().manual_seed(1)) < 0.1
    sight = hide(thing, torch.Generator().manual_seed(2))
    assert sight.seen[thing].all()
    whole, some = sight.seen.all(1), ~sight.seen.all(1)
    assert 20 < whole.sum() < 44
    own = (sight.places == torch.arange(NUM_PATCHES)).all(1)
    assert (own & some).any()
    assert (~own & some).any()
    for row in (~own & some).nonzero().flatten():
        seen = sight.places[row][sight.seen[row]]
        assert torch.equal(seen, torch.arange(len(seen)))
        assert sight.after[row] == len(seen)
    assert (sight.after[own & some] == NUM_PATCHES).all()


@torch.inference_mode()
def test_hidden_tokens_are_as_good_as_removed(decoder, packed):
    visual = torch.randn(2, NUM_PATCHES, 32, generator=torch.Generator().manual_seed(3))
    kept = torch.arange(0, NUM_PATCHES, 3)
    seen = torch.zeros(2, NUM_PATCHES, dtype=torch.bool)
    seen[:, kept] = True
    hidden, _ = answer_loss(decoder, visual, PLACES, packed, seen=seen)
    removed, _ = answer_loss(decoder, visual[:, kept], kept.expand(2, -1), packed)
    assert torch.allclose(hidden, removed, atol=1e-5)
    whole, _ = answer_loss(decoder, visual, PLACES, packed)
    assert not torch.allclose(hidden, whole, atol=1e-5)


@torch.inference_mode()
def test_blind_in_all_layers_the_picture_does_not_matter(decoder, packed):
    pictures = torch.randn(2, 2, NUM_PATCHES, 32, generator=torch.Generator().manual_seed(4))
    blind = [answer_loss(decoder, v, PLACES, packed, blind=range(4))[0] for v in pictures]
    assert torch.equal(*blind)
    late = [answer_loss(decoder, v, PLACES, packed, blind=range(2))[0] for v in pictures]
    assert not torch.allclose(*late, atol=1e-6)
    # Nothing stays behind on the decoder.
    assert not any(layer._forward_pre_hooks for layer in decoder.layers)


def test_a_background_that_tells_nothing_costs_nothing():
    thing = torch.zeros(6, NUM_PATCHES, dtype=torch.bool)
    thing[:, :10] = True
    places = torch.randn(NUM_PATCHES, 8, generator=torch.Generator().manual_seed(5))
    visual = places.expand(6, -1, -1).clone()
    visual[:, :10] += torch.randn(6, 10, 8)
    assert alike_loss(visual, thing) < 1e-10
    visual[:, 10:] += torch.randn(6, NUM_PATCHES - 10, 8)
    assert alike_loss(visual, thing) > 0.1


@torch.inference_mode()
def test_moves_are_those_of_the_modules(decoder, packed):
    given = {}

    def keep(module, args, kwargs, out):
        given[module] = kwargs.get("hidden_states", args[0] if args else None), out

    layer = decoder.layers[1]
    hook = layer.mlp.register_forward_hook(keep, with_kwargs=True)
    visual = torch.randn(2, NUM_PATCHES, 32, generator=torch.Generator().manual_seed(6))
    first = len(packed.head)
    with watch(decoder, Watching(first, NUM_PATCHES, range(1, 2))) as watched:
        answer_loss(decoder, visual, PLACES, packed)
    hook.remove()
    before, after = (t[:, first : first + NUM_PATCHES] for t in given[layer.mlp])
    cosine = torch.nn.functional.cosine_similarity(before, after, dim=-1)
    expected = after.norm(dim=-1) / before.norm(dim=-1) * torch.exp(1 - cosine)
    assert len(watched.moves) == 2
    assert torch.allclose(watched.moves[1], expected, atol=1e-5)
    assert len(watched.excess) == 4
    assert not any(m._forward_hooks for m in decoder.modules())


def test_a_quiet_background_costs_nothing():
    thing = torch.zeros(1, NUM_PATCHES, dtype=torch.bool)
    thing[:, :4] = True
    moves = torch.where(thing, 4.0, 1.0)
    seen = torch.ones_like(thing)
    assert Watched(moves=[moves]).quiet_loss(thing, seen) == 0
    loud = Watched(moves=[torch.ones(1, NUM_PATCHES)]).quiet_loss(thing, seen)
    assert loud == pytest.approx(1.1)


@torch.inference_mode()
def test_looks_are_the_attention_of_the_layers(packed):
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=900,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        attn_implementation="eager",
    )
    decoder = LlamaModel(config).eval()
    visual = torch.randn(2, NUM_PATCHES, 32, generator=torch.Generator().manual_seed(7))
    first, end = len(packed.head), len(packed.head) + NUM_PATCHES
    shares = []
    hook = decoder.layers[1].self_attn.register_forward_hook(
        lambda m, a, out: shares.append(out[1])
    )
    with watch(decoder, Watching(first, NUM_PATCHES, range(0), range(1, 2), 1)) as watched:
        answer_loss(decoder, visual, PLACES, packed)
    hook.remove()
    looks = torch.cat(watched.looks[1], dim=-1)
    wanted = shares[0][:1, :, end:, :end]
    text = packed.segment[0] > 0
    ours, wanted = looks.softmax(-1)[:, :, text], wanted[:, :, text]
    assert torch.allclose(ours, wanted / wanted.sum(-1, keepdim=True), atol=1e-5)


def test_looking_at_nothing_early_and_at_things_late_costs_nothing():
    thing = torch.zeros(1, NUM_PATCHES, dtype=torch.bool)
    thing[:, :4] = True
    seen, text = torch.ones_like(thing), torch.tensor([[True, True, False]])
    before = torch.zeros(1, 2, 3, 5)
    away = torch.full((1, 2, 3, NUM_PATCHES), -60.0)
    at_things = torch.where(thing, 0.0, -60.0).expand(1, 2, 3, -1)

    def loss(layer: int, visual: torch.Tensor) -> float:
        return float(Watched(looks={layer: (before, visual)}).look_loss(3, thing, seen, text))

    nowhere = torch.where(thing, -60.0, -80.0).expand(1, 2, 3, -1)
    assert loss(2, nowhere) == pytest.approx(0, abs=1e-5)
    assert loss(2, at_things) > 0.5
    assert loss(3, at_things) == pytest.approx(0, abs=1e-5)
    assert loss(3, away + 60) > 2
    # Where no patch is a thing's, nothing is asked for.
    empty = torch.zeros_like(thing)
    watched = Watched(looks={3: (before, at_things)})
    assert watched.look_loss(3, empty, seen, text) == 0
    # Padding looks where it likes.
    stray = at_things.clone()
    stray[:, :, 2] = 0
    assert loss(3, stray) == pytest.approx(0, abs=1e-5)
