from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.errors import LeakError, SettingsError
from crosspatch.splits import (
    check_leak,
    find_leaks,
    grouped_folds,
    nested_fraction,
    seeded_split,
    set_aside,
)

some_groups = st.lists(st.sampled_from([f"g{i}" for i in range(30)]), min_size=1, max_size=80)
seeds = st.integers(0, 2**40)


def nested_up_to(groups, name):
    """Groups of the smallest fraction that holds ``name``."""
    fractions = [(taken + 1) / len(groups) for taken in range(len(groups))]
    kept = [{groups[i] for i in nested_fraction(groups, fraction)} for fraction in fractions]
    return min((chosen for chosen in kept if name in chosen), key=len)


def names_of(groups):
    return [f"s{number}" for number in range(len(groups))]


class TestSeededSplit:
    @given(some_groups, seeds)
    def test_keeps_every_group_in_one_split(self, groups, seed):
        split = seeded_split(names_of(groups), groups, seed=seed)
        homes = {}
        for name, group in zip(names_of(groups), groups, strict=True):
            homes.setdefault(group, set()).add(split[name])
        assert all(len(home) == 1 for home in homes.values())
        assert len(split) == len(groups)

    @given(some_groups, seeds)
    def test_never_validates_by_itself_and_tests_wherever_there_are_two_groups(self, groups, seed):
        found = set(seeded_split(names_of(groups), groups, seed=seed).values())
        assert found == ({"train", "test"} if len(set(groups)) > 1 else {"train"})

    @given(some_groups, seeds)
    def test_misses_the_share_by_less_than_a_group(self, groups, seed):
        split = seeded_split(names_of(groups), groups, seed=seed)
        tested = Counter(split.values())["test"]
        if len(set(groups)) > 1:
            assert abs(tested - 0.3 * len(groups)) <= max(Counter(groups).values())

    def test_gives_each_of_three_splits_its_share_of_single_subjects(self):
        names = [f"s{number}" for number in range(200)]
        split = seeded_split(names, names, {"train": 0.6, "val": 0.1, "test": 0.3}, seed=4)
        assert Counter(split.values()) == {"train": 120, "val": 20, "test": 60}

    def test_gives_every_split_a_group_where_there_are_just_enough(self):
        split = seeded_split("abc", "abc", {"train": 0.98, "val": 0.01, "test": 0.01})
        assert sorted(split.values()) == ["test", "train", "val"]

    def test_is_the_same_on_every_platform_and_in_every_release(self):
        # printf 'crosspatch split 7\0a' | sha256sum, and so on, sorted: a c e i j d b | g h f
        names = list("abcdefghij")
        split = seeded_split(names, names, seed=7)
        assert "".join(n for n in names if split[n] == "test") == "fgh"

    def test_another_seed_divides_differently(self):
        names = [f"s{number}" for number in range(40)]
        assert seeded_split(names, names, seed=0) != seeded_split(names, names, seed=1)

    def test_a_new_group_moves_few_others(self):
        names = [f"s{number}" for number in range(50)]
        before = seeded_split(names, names, seed=3)
        after = seeded_split([*names, "new"], [*names, "new"], seed=3)
        assert sum(before[name] != after[name] for name in names) <= 1

    @pytest.mark.parametrize(
        ("shares", "complaint"),
        [
            ({"train": 0.5, "test": 0.4}, "sum to 1"),
            ({"train": 0.5, "validation": 0.5}, "train, val, test"),
            ({"train": 1.5, "test": -0.5}, "not negative"),
        ],
    )
    def test_refuses_shares_that_are_none(self, shares, complaint):
        with pytest.raises(SettingsError, match=complaint):
            seeded_split("ab", "ab", shares)


class TestNestedFraction:
    @given(some_groups, seeds, st.floats(0.001, 1), st.floats(0.001, 1))
    def test_a_fraction_lies_inside_every_larger_one(self, groups, seed, one, other):
        small, large = sorted((one, other))
        assert nested_fraction(groups, small, seed) <= nested_fraction(groups, large, seed)

    @given(some_groups, seeds, st.floats(0.001, 1))
    def test_takes_whole_groups_and_at_least_one(self, groups, seed, fraction):
        kept = nested_fraction(groups, fraction, seed)
        assert kept
        kept_groups = {groups[position] for position in kept}
        assert kept == {p for p, group in enumerate(groups) if group in kept_groups}

    @given(some_groups, seeds)
    def test_all_is_all(self, groups, seed):
        assert nested_fraction(groups, 1.0, seed) == set(range(len(groups)))

    @given(st.permutations([f"g{i % 9}" for i in range(20)]), seeds)
    def test_the_order_of_subjects_does_not_matter(self, groups, seed):
        straight = sorted(groups)
        chosen = {straight[p] for p in nested_fraction(straight, 0.5, seed)}
        assert {groups[p] for p in nested_fraction(groups, 0.5, seed)} == chosen

    @pytest.mark.parametrize(("fraction", "count"), [(0.1, 12), (0.25, 30), (0.5, 60), (0.75, 90)])
    def test_counts_subjects_exactly_where_groups_are_single(self, fraction, count):
        assert len(nested_fraction([f"g{i}" for i in range(120)], fraction)) == count

    def test_counts_subjects_and_not_groups(self):
        # one group of 50 and 50 of one: half the subjects, whichever group comes first
        groups = ["large"] * 50 + [f"small{number}" for number in range(50)]
        for seed in range(20):
            assert 25 <= len(nested_fraction(groups, 0.5, seed)) <= 75

    def test_is_the_same_on_every_platform_and_in_every_release(self):
        # printf 'crosspatch fraction 7\0a' | sha256sum, and so on, sorted: i a e | f d h g j b c
        assert nested_fraction(list("abcdefghij"), 0.3, seed=7) == {0, 4, 8}

    @pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
    def test_refuses_a_fraction_that_is_none(self, fraction):
        with pytest.raises(SettingsError, match="fraction"):
            nested_fraction(["a"], fraction)


class TestSetAside:
    @given(some_groups, seeds)
    def test_takes_fifteen_percent_of_the_groups_never_none_never_all(self, groups, seed):
        distinct = set(groups)
        aside = set_aside(groups, seed=seed)
        assert aside <= distinct
        assert len(aside) == int(0.15 * len(distinct) + 0.5)
        assert len(aside) < len(distinct)

    @given(some_groups, st.floats(0, 0.99), seeds)
    def test_what_is_left_to_train_on_is_nested_like_the_fractions(self, groups, share, seed):
        trained = []
        for fraction in (0.1, 0.3, 0.6, 1.0):
            inside = {groups[place] for place in nested_fraction(groups, fraction, seed)}
            trained.append(inside - set_aside(inside, share, seed))
        assert all(trained)
        assert trained[0] <= trained[1] <= trained[2] <= trained[3]

    def test_at_fifteen_percent_the_fourth_and_the_tenth_group_validate(self):
        order = sorted("abcdefghijkl", key=lambda name: len(nested_up_to("abcdefghijkl", name)))
        assert set_aside("abcdefghijkl", 0.15) == {order[3], order[9]}

    def test_forty_groups_give_six(self):
        assert len(set_aside([f"g{number}" for number in range(40)])) == 6

    def test_three_groups_are_too_few(self):
        assert set_aside("abc", 0.15) == set()

    def test_nothing_is_set_aside_when_nothing_is_wanted(self):
        assert set_aside("abc", 0) == set()

    def test_refuses_to_set_all_aside(self):
        with pytest.raises(SettingsError, match="validation share"):
            set_aside("abc", 1.0)


class TestLeaks:
    def test_names_the_pair_that_shares_a_group(self):
        with pytest.raises(LeakError, match=r"train subject 'a' and test subject 'b'.*group 'bay'"):
            check_leak([("a", "bay", "1"), ("x", "cape", "2")], [("b", "bay", "3")])

    def test_names_the_pair_that_is_the_same_image(self):
        with pytest.raises(LeakError, match=r"'x' and test subject 'b' are the same image"):
            check_leak([("a", "bay", "1"), ("x", "cape", "2")], [("b", "fjord", "2")])

    def test_strangers_are_no_leak(self):
        check_leak([("a", "bay", "1"), ("b", "bay", "2")], [("c", "cape", "3"), ("d", "cape", "3")])

    def test_unknown_content_is_not_the_same_content(self):
        assert find_leaks({"train": [("a", "g", "")], "test": [("b", "h", "")]}) == []

    def test_validation_counts_as_a_split_too(self):
        leaks = find_leaks(
            {"train": [("a", "g", "1")], "val": [("b", "g", "2")], "test": [("c", "h", "2")]}
        )
        assert len(leaks) == 2
        assert "train subject 'a' and val subject 'b'" in leaks[0]
        assert "val subject 'b' and test subject 'c' are the same image" in leaks[1]

    def test_says_how_many_more_there_are(self):
        train = [(f"a{i}", f"g{i}", "") for i in range(14)]
        test = [(f"b{i}", f"g{i}", "") for i in range(14)]
        with pytest.raises(LeakError, match=r"14 leaks[\s\S]*and 4 more"):
            check_leak(train, test)


class TestFolds:
    def test_are_whole_groups_and_nearly_equal(self):
        groups = ["a"] * 5 + ["b"] * 3 + ["c"] * 3 + ["d"] * 2 + ["e"] + ["f"]
        folds = grouped_folds(groups, 3)
        assert set(folds) == set("abcdef")
        held = Counter(folds[group] for group in groups)
        assert set(held.values()) == {5}
        assert folds["a"] == 0

    @given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.integers(2, 4), st.integers(0, 9))
    def test_none_is_empty_and_order_does_not_matter(self, groups, folds, seed):
        if len(set(groups)) < folds:
            with pytest.raises(SettingsError, match="cannot be divided"):
                grouped_folds(groups, folds, seed)
            return
        placed = grouped_folds(groups, folds, seed)
        assert set(placed.values()) == set(range(folds))
        assert placed == grouped_folds(groups[::-1], folds, seed)

    def test_another_seed_divides_otherwise(self):
        groups = [str(number) for number in range(20)]
        assert grouped_folds(groups, 4, 0) != grouped_folds(groups, 4, 1)
