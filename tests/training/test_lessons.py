"""Lessons follow from the step alone, whoever makes them; the clock and what is logged."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from pruneviz.scenes.questions import KINDS
from pruneviz.scenes.scene import SMALL, SceneRules, sample_scene
from training.lessons import Alike, Plan, stream
from training.loop import Clock, rate_at
from training.settings import Settings, StageSettings, for_gpu, within
from training.symbolic import Curriculum

RULES = SceneRules(crowds=(1, 1, 1), sizes=((0.06, 0.1, 1.0), (0.2, 0.3, 1.0)))


def flat(lesson):
    packed = lesson.packed
    return [*lesson.labels.values(), lesson.values, lesson.kinds, packed.tail, packed.targets]


@pytest.mark.parametrize("side", [0, 64])
def test_processes_give_the_lessons_in_order(side):
    lessons = Alike(Plan(7, 2, 2, RULES, 2, dict.fromkeys(KINDS, 1.0), side))
    here, beside = (
        list(islice(stream(lessons, 3, replace(Settings(), workers=count)), 4)) for count in (0, 2)
    )
    assert [lesson.seed for lesson in here] == [13, 15, 17, 19]
    for one, other in zip(here, beside, strict=True):
        assert one.seed == other.seed
        assert all(torch.equal(a, b) for a, b in zip(flat(one), flat(other), strict=True))


def test_the_curriculum_shows_few_tokens_first():
    settings = Settings()
    lessons = Curriculum(settings)
    last = settings.symbolic.steps - 1
    assert lessons.tokens(0) == (12, 1.0)
    assert lessons.tokens(last)[0] == 256
    assert lessons.plan(0).batch > lessons.plan(last).batch
    assert lessons.plan(0).kinds == settings.kinds
    assert lessons.plan(last).kinds == settings.hard_kinds


def test_the_rate_warms_up_and_falls_to_its_floor():
    stage = StageSettings(100, 1, 2.0, warmup=10, floor=0.1)
    assert rate_at(0, 0.0, stage) == pytest.approx(0.2)
    assert rate_at(9, 0.0, stage) == pytest.approx(2.0)
    assert rate_at(60, 0.5, stage) == pytest.approx(1.1)
    assert rate_at(99, 1.0, stage) == pytest.approx(0.2)


def test_a_clock_ends_a_stage_by_steps_or_by_time(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr("training.loop.time.monotonic", lambda: float(next(now)))
    assert [step for step, _ in Clock(StageSettings(5, 1, 1.0)).steps(2, None)] == [2, 3, 4]
    assert [step for step, _ in Clock(StageSettings(5, 1, 1.0)).steps(0, 2)] == [0, 1]
    timed = list(Clock(StageSettings(5, 1, 1.0, seconds=10.0), spent=4.0).steps(0, None))
    # A second a look: five more until ten are spent.
    assert [done for _, done in timed] == [0.5, 0.6, 0.7, 0.8, 0.9]


def test_minutes_are_shared_by_the_stages_that_run():
    settings = within(for_gpu(Settings()), 10, ("symbolic", "align", "joint", "export"))
    assert settings.symbolic.seconds + settings.joint.seconds == pytest.approx(600)
    assert settings.symbolic.seconds < settings.joint.seconds
    assert within(Settings(), 2, ("joint",)).joint.seconds == pytest.approx(120)
    assert within(Settings(), 2, ("joint",)).symbolic.seconds == 0


def test_crowds_of_small_things():
    for seed in range(40):
        items = sample_scene(seed, SMALL).items
        assert 5 <= len(items) <= 9
        assert all(0.07 <= item.size <= 0.10 for item in items)
        assert len({item.place for item in items}) == len(items)
