from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.items import Limits
from pipeline.plan import BuildPlan, forecast, parents_first, plan
from store.catalogue import Placement
from store.errors import ConfigurationError, ExtractionError
from store.records import FeatureSpec, Utterance
from tests.pipeline.build_cases import HOP, Loudness, PhoneMeans, alignment, utterance

FRAMES = Loudness().spec
OTHER = Loudness(gain=2.0).spec
MEANS = PhoneMeans(FRAMES).spec
SPECS = (MEANS, FRAMES, OTHER)
SMALL = Limits(seconds=1.0, recordings=3)

utterances = st.lists(
    st.builds(
        utterance,
        st.integers(0, 400),
        corpus=st.sampled_from(["toy", "other"]),
        audio=st.sampled_from([None, None, "a" * 64, "b" * 64]),
    ),
    unique_by=lambda item: item.id,
    max_size=30,
)


def aligned(items: Sequence[Utterance]) -> dict[str, object]:
    return {item.id: alignment(item) for item in items if int(item.id[-4:]) % 5}


def after(built: BuildPlan) -> dict[tuple[str, str], dict[str, Placement]]:
    """What the store would hold once every item of a plan is done."""
    held: dict[tuple[str, str], dict[str, Placement]] = {}
    for item in built.items:
        for task in item.tasks:
            placement = Placement(
                spec=task.spec,
                corpus=item.corpus,
                utterance=task.utterance,
                row_key=task.row_key,
                start=0,
                length=task.length,
            )
            held.setdefault((task.spec, item.corpus), {})[task.row_key] = placement
    return held


@given(utterances)
def test_a_plan_after_its_build_is_empty_and_wants_the_same(items):
    first = plan(items, aligned(items), SPECS, {}, limits=SMALL)
    second = plan(items, aligned(items), SPECS, after(first), limits=SMALL)
    assert second.items == ()
    assert second.wanted == first.wanted
    assert second.kept == sum(1 for item in first.items for _ in item.tasks)


@given(utterances, st.randoms())
def test_a_plan_does_not_depend_on_the_order_of_utterances_or_specs(items, random):
    first = plan(items, aligned(items), SPECS, {}, limits=SMALL)
    shuffled, specs = list(items), list(SPECS)
    random.shuffle(shuffled)
    random.shuffle(specs)
    assert plan(shuffled, aligned(items), specs, {}, limits=SMALL) == first


@given(utterances)
def test_each_wanted_key_is_computed_once_and_within_the_limits(items):
    built = plan(items, aligned(items), SPECS, {}, limits=SMALL)
    tasks = [(item.corpus, task.row_key) for item in built.items for task in item.tasks]
    assert len(tasks) == len(set(tasks))
    assert set(tasks) == {(rows.corpus, rows.row_key) for rows in built.wanted}
    for item in built.items:
        assert len(item.recordings) <= SMALL.recordings
        assert item.seconds <= SMALL.seconds or len(item.recordings) == 1
        assert {recording.utterance.corpus for recording in item.recordings} == {item.corpus}


@given(utterances)
def test_row_keys_are_those_of_the_spec(items):
    alignments = aligned(items)
    by_id = {item.id: item for item in items}
    gendered = replace(OTHER, uses=("gender",))
    specs = {spec.digest: spec for spec in (*SPECS, gendered)}
    for rows in plan(items, alignments, tuple(specs.values()), {}).wanted:
        item, found = by_id[rows.utterance], alignments.get(rows.utterance)
        expected = specs[rows.spec].row_key(
            item.audio_sha256, gender=item.gender, alignment=found.key if found else None
        )
        assert rows.row_key == expected


def test_an_utterance_without_alignment_keeps_its_other_features_and_is_listed():
    built = plan([utterance(5)], {}, SPECS, {})
    assert {rows.spec for rows in built.wanted} == {FRAMES.digest, OTHER.digest}
    (row,) = built.unavailable
    assert (row.utterance, row.stage, row.reason) == ("toy/u0005", "extract", "not aligned")


def test_a_recording_too_short_for_a_law_is_listed():
    silent = replace(alignment(utterance(1)), intervals=())
    built = plan([utterance(1)], {"toy/u0001": silent}, [FRAMES, MEANS], {})
    assert {rows.spec for rows in built.wanted} == {FRAMES.digest}
    assert [row.reason for row in built.unavailable] == ["phone-means: its frame law gives no rows"]


def test_row_counts_follow_the_rate_of_the_spec():
    item = replace(utterance(1), n_samples=48_000, sample_rate=48_000)
    (rows,) = plan([item], {}, [FRAMES], {}).wanted
    assert rows.length == 1 + 16_000 // HOP


def test_a_changed_parameter_plans_the_extractor_and_what_is_derived_from_it():
    items = [utterance(number) for number in range(1, 5)]
    before = plan(items, aligned(items), SPECS, {})
    changed = replace(FRAMES, params={"gain": 3.0})
    specs = (changed, OTHER, PhoneMeans(changed).spec)
    built = plan(items, aligned(items), specs, after(before))
    planned = {task.spec for item in built.items for task in item.tasks}
    assert planned == {changed.digest, PhoneMeans(changed).spec.digest}
    assert built.kept == len(items)


def test_derived_rows_point_to_stored_parents():
    items = [utterance(1)]
    held = after(plan(items, aligned(items), [FRAMES], {}))
    (item,) = plan(items, aligned(items), [FRAMES, MEANS], held).items
    (task,) = item.tasks
    assert task.parent == held[FRAMES.digest, "toy"][task.parent_key]


def test_rows_of_another_length_than_the_law_gives_are_refused():
    items = [utterance(1)]
    held = after(plan(items, {}, [FRAMES], {}))
    ((key, placement),) = held[FRAMES.digest, "toy"].items()
    held[FRAMES.digest, "toy"][key] = replace(placement, length=placement.length + 1)
    with pytest.raises(ExtractionError, match="raise the version"):
        plan(items, {}, [FRAMES], held)


def test_a_feature_without_its_parent_is_refused():
    with pytest.raises(ConfigurationError, match="phone-means"):
        plan([utterance(1)], {}, [MEANS], {})


def test_an_utterance_listed_twice_is_refused():
    with pytest.raises(ConfigurationError, match="toy/u0001 twice"):
        plan([utterance(1), utterance(1)], {}, [FRAMES], {})


def test_items_hold_the_shortest_recordings_first_and_parents_before_children():
    items = [utterance(number, n_samples=16_000 - 800 * number) for number in range(1, 6)]
    (item,) = plan(items, aligned(items), SPECS, {}, limits=Limits(seconds=60)).items
    seconds = [recording.utterance.seconds for recording in item.recordings]
    assert seconds == sorted(seconds)
    for recording in item.recordings:
        order = [task.spec for task in recording.tasks]
        assert MEANS.digest not in order or order.index(FRAMES.digest) < order.index(MEANS.digest)


def test_an_item_is_bounded_by_the_bytes_of_its_rows():
    items = [utterance(number) for number in range(6)]
    one = plan(items[:1], {}, [FRAMES], {})
    (size,) = (row.bytes for row in forecast(one))
    built = plan(items, {}, [FRAMES], {}, limits=Limits(seconds=1e6, bytes=2 * size))
    assert [len(item.recordings) for item in built.items] == [2, 2, 2]


def test_the_forecast_is_rows_times_the_size_of_a_row():
    built = plan([utterance(1), utterance(2)], {}, [FRAMES], {})
    (row,) = forecast(built)
    assert (row.name, row.rows, row.bytes) == ("loudness", 2 * 51, 2 * 51 * 8)


def test_the_last_items_get_shorter_so_that_workers_end_together():
    items = [utterance(number, n_samples=16_000 * 20) for number in range(60)]
    built = plan(items, {}, [FRAMES], {}, limits=Limits(seconds=300)).items
    seconds = [sum(part.utterance.seconds for part in item.recordings) for item in built]
    left = [sum(seconds[at:]) for at in range(len(seconds))]
    assert sum(seconds) == 1200
    assert seconds == sorted(seconds, reverse=True)
    assert all(part <= max(60, rest / 8) for part, rest in zip(seconds, left, strict=True))
    assert max(seconds) > 100
    assert min(seconds) >= 20


def test_only_the_end_of_the_whole_build_is_cut_short():
    first = [utterance(number, corpus="a", n_samples=16_000 * 20) for number in range(60)]
    last = [utterance(number, corpus="b", n_samples=16_000 * 20) for number in range(300)]
    built = plan([*first, *last], {}, [FRAMES], {}, limits=Limits(seconds=300)).items
    assert [item.seconds for item in built if item.corpus == "a"] == [300.0] * 4
    assert [item.seconds for item in built if item.corpus == "b"][-1] < 100


def test_limits_stay_between_one_minute_and_ten():
    assert Limits.for_audio(10).seconds == 60
    assert Limits.for_audio(3200).seconds == 100
    assert Limits.for_audio(1e9).seconds == 600


def test_parents_come_first_whatever_the_names():
    grandchild = FeatureSpec(**{**MEANS.canonical(), "law": MEANS.law, "name": "a", "parent": MEANS.digest})
    assert parents_first([grandchild, MEANS, FRAMES]) == (FRAMES, MEANS, grandchild)
