"""docs/rules.md says what the code does: every operand, word, unit, measure, date and example."""

import re
from pathlib import Path

import msgspec
import pytest

from jornada.rules import Invalid, parse
from jornada.rules.checking import DEEPEST, MOST_TESTS
from jornada.rules.language import UNITS
from jornada.rules.terms import COMPARISONS, OPERANDS, WORDS, Sort
from services.journey.domain.decay import LADDER
from services.journey.domain.rules import CONDITIONAL, RULE_SETS, own
from services.journey.domain.segments import MOST_PERIODS
from services.journey.domain.state import DAYS_COUNTED
from services.journey.domain.view import DATES, FAMILIES, MEASURES, TERMS, stage_terms
from services.journey.domain.vocabulary import ALL_KINDS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text()
_SORTS = {Sort.TEXT: "text", Sort.NUMBER: "number", Sort.SPAN: "span", Sort.INSTANT: "instant", Sort.ANY: "any"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, or after the table's own first cell."""
    table = TEXT[TEXT.index(heading) :]
    lines = table[table.index("|---") :].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("block", blocks("json"))
def test_every_example_is_a_condition(block: str) -> None:
    parse(msgspec.json.decode(block), TERMS)


def test_the_example_of_stages_is_a_rule_set() -> None:
    given = msgspec.json.decode(blocks("json stages")[0])
    own(RULE_SETS[given["base"]], given["change"], ALL_KINDS)
    assert {stage for stage, when in given["when"].items() if parse(when, stage_terms(ALL_KINDS))} <= set(CONDITIONAL)
    assert f"may give {', '.join(f'`{each}`' for each in CONDITIONAL[:-1])} and `{CONDITIONAL[-1]}` a condition" in TEXT
    assert f"the latest {MOST_PERIODS:,} times" in TEXT


def test_the_refused_example_is_refused_as_it_says() -> None:
    with pytest.raises(Invalid) as caught:
        parse(msgspec.json.decode(blocks("json refused")[0]), TERMS)
    for flaw in caught.value.flaws:
        assert f"`{flaw.at}` (`{flaw.code}`)" in TEXT
    assert len(caught.value.flaws) == 2


def test_every_operand_is_told_with_its_sort() -> None:
    told = rows("| operand |")
    assert list(dict.fromkeys(cell.split('"')[1] for cell, *_ in told)) == list(OPERANDS)
    names = {"NAME": "first_seen_at", "KIND": "signed_in"}
    for operand, _, sort in told:
        key, name = re.findall(r'"(\w+)": "?(\w+)', operand)[0]
        found = TERMS.sort(key, names.get(name, name))
        assert key == "measure" or (found is not None and _SORTS[found] == sort)


def test_every_word_is_told_with_what_it_suits() -> None:
    told = {word.strip("`"): set(suits.split(", ")) for word, _, suits in rows("| word |")}
    assert told == {word: {_SORTS[sort] for sort in Sort if word in COMPARISONS[sort]} for word in WORDS}


def test_every_unit_and_bound_is_told() -> None:
    units = re.search(r"a unit: (.*?), with an", TEXT, re.DOTALL)
    assert units is not None
    assert re.findall(r"`(\w+)`", units[1]) == list(UNITS)
    assert f"up to {DEEPEST} deep, with up to {MOST_TESTS} tests" in TEXT
    half_lives = ", ".join(map(str, LADDER[:-1]))
    assert f"one of {half_lives} and {LADDER[-1]} days" in TEXT
    assert f"(`days` at the latest {DAYS_COUNTED} with any)" in TEXT


def test_every_measure_and_date_is_told_with_its_meaning() -> None:
    measures = [[f"`{name}`", each.sort, each.meaning] for name, each in MEASURES.items()]
    families = [[f"`{name}`", each.sort, each.meaning] for name, each in FAMILIES.items()]
    assert rows("## Measures") == [*measures, *families]
    assert rows("## Dates") == [[f"`{name}`", each.meaning] for name, each in DATES.items()]
