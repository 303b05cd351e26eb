"""Each method decides a subject's answers as its own function does, or says why not."""

import numpy as np
import pytest

from crosspatch.errors import InputError, SettingsError
from crosspatch.volunteers.agreement import subject_agreement
from crosspatch.volunteers.methods import Judge, Learned, Rule, judge
from crosspatch.volunteers.runs import vote_runs

PEOPLE = "abcdef"


def square(left, top, right, bottom):
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float)


def subject(name, *drawn, people=PEOPLE):
    """A 10 x 12 subject; ``drawn`` is one square or None a volunteer."""
    runs = vote_runs([[] if one is None else [one] for one in drawn], (10, 12))
    names = list(people[: len(drawn)])
    return runs, subject_agreement(name, runs.patterns, names, [True] * len(names))


BIG, SMALL, OTHER = square(1, 1, 7, 7), square(2, 2, 6, 6), square(8, 0, 12, 3)


def decide(rule, subjects, which=0):
    learned = Learned()
    for runs, agreement in subjects:
        learned.learn(rule, agreement, runs.patterns)
    runs, agreement = subjects[which]
    decided = judge(rule, learned).decide(runs.patterns, agreement)
    return decided if isinstance(decided, str) else runs.paint(decided)


def test_a_threshold_counts_blank_votes():
    three = [subject("1", BIG, SMALL, None)]
    assert decide(Rule(threshold=0.5), three).sum() == 16  # two of three marked the small one
    assert decide(Rule(threshold=0.3), three).sum() == 36
    assert decide(Rule(threshold=0.7), three).sum() == 0


def test_a_count_skips_subjects_with_fewer_voters():
    three = [subject("1", BIG, SMALL, None)]
    assert decide(Rule(at_least=2), three).sum() == 16
    assert decide(Rule(at_least=3), three).sum() == 0
    assert decide(Rule(at_least=4), three) == "fewer than 4 voters"


def test_weights_come_from_other_subjects():
    """e and f draw elsewhere on three subjects; on the fourth they are two against two."""
    usual = [subject(str(n), BIG, BIG, BIG, BIG, OTHER, OTHER) for n in range(3)]
    here = subject("3", None, None, BIG, BIG, OTHER, OTHER)
    mask = decide(Rule("weighted", threshold=0.3), [*usual, here], which=3)
    plain = decide(Rule(threshold=0.3), [here])
    assert plain[0, 9] == plain[3, 3] == 1
    assert (mask[0, 9], mask[3, 3]) == (0, 1)


def test_staple_needs_five_voters():
    enough = subject("1", BIG, BIG, BIG, BIG, OTHER)
    few = subject("2", BIG, BIG, BIG)
    rule = Rule("staple")
    assert decide(rule, [enough, few]).sum() == 36
    assert decide(rule, [enough, few], which=1) == "fewer than 5 voters, too few for STAPLE"
    with pytest.raises(InputError, match="5 voters"):
        decide(rule, [few])


def test_shrunken_fractions_leave_what_few_voters_cannot_decide_open():
    many = [subject(str(n), BIG, BIG, BIG, SMALL, SMALL, BIG) for n in range(6)]
    rule = Rule("shrunken")
    one_voter = decide(rule, [*many, subject("x", BIG)], which=6)
    assert one_voter[0, 0] == 0
    assert set(np.unique(one_voter)) <= {0, 1, 255}
    split = decide(rule, [*many, subject("y", BIG, None)], which=6)
    assert split[3, 3] == 255  # one of two
    assert decide(rule, many)[3, 3] == 1


def test_shrinking_learns_from_other_subjects_also_when_there_are_few():
    two = [subject("a", BIG, BIG, SMALL), subject("b", BIG, SMALL, SMALL)]
    assert decide(Rule("shrunken"), two)[3, 3] == 1
    with pytest.raises(InputError, match="plain threshold"):
        decide(Rule("shrunken"), [subject("a", None, None, None)])


def test_nobody_is_no_majority():
    runs, agreement = subject("1", BIG)
    nobody = vote_runs([], (10, 12))
    assert Judge(Rule()).decide(nobody.patterns, agreement) == "nobody voted"
    assert runs.patterns.voters == 1


def test_merging_what_was_learned_equals_learning_together():
    rule = Rule("weighted")
    subjects = [subject(str(n), BIG, SMALL, OTHER) for n in range(4)]
    together, apart = Learned(), [Learned(), Learned()]
    for place, (runs, agreement) in enumerate(subjects):
        together.learn(rule, agreement, runs.patterns)
        apart[place % 2].learn(rule, agreement, runs.patterns)
    apart[0].merge(apart[1])
    assert list(apart[0].ledger.rows()) == list(together.ledger.rows())
    weights = together.ledger.weights(subjects[0][1])
    assert apart[0].ledger.weights(subjects[0][1]) == pytest.approx(weights)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "guess"}, "unknown method"),
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"at_least": 0}, "mark everything"),
        ({"method": "staple", "at_least": 4}, "no count of votes"),
    ],
)
def test_rules_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        Rule(**settings)


def test_a_rule_says_itself():
    assert str(Rule(at_least=4)) == "at least 4 votes"
    assert str(Rule("staple", 0.9)) == "staple, threshold 0.9"
