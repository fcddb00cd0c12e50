"""Filters and orders: what they mean, and where the fault is when they mean nothing."""

import re

import pytest

from headrace_storage.search import grammar
from headrace_storage.search.grammar import Condition, Either, Every, Expression, Field, Group, parse_filter
from headrace_storage.search.like import matcher
from headrace_storage.search.tokens import FilterError

LOSS = Field(Group.METRIC, "loss")
LR = Field(Group.PARAM, "lr")
STATUS = Field(Group.ATTRIBUTE, "status")


def metric(key: str, aspect: str = "last", otherwise: Field | None = None) -> Field:
    return Field(Group.METRIC, key, aspect, otherwise)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("metrics.loss < 0.1", Condition(LOSS, "<", 0.1)),
        ("metric.loss<=-1e-3", Condition(LOSS, "<=", -0.001)),
        ("metrics.loss != .5", Condition(LOSS, "!=", 0.5)),
        ("metrics.loss = 7.", Condition(LOSS, "=", 7.0)),
        ("metrics.loss > -inf", Condition(LOSS, ">", float("-inf"))),
        ("params.lr = '0.1'", Condition(LR, "=", "0.1")),
        ('param.lr != "0.1"', Condition(LR, "!=", "0.1")),
        ("parameters.lr LIKE '0.%'", Condition(LR, "LIKE", "0.%")),
        ("parameter.lr ilike 'A'", Condition(LR, "ILIKE", "A")),
        ("params.lr = 'it''s'", Condition(LR, "=", "it's")),
        ('params.lr = "say ""it"""', Condition(LR, "=", 'say "it"')),
        ("params.lr IN ('a', \"b\",'c',)", Condition(LR, "IN", ("a", "b", "c"))),
        ("metrics.loss not  in (1,2)", Condition(LOSS, "NOT IN", (1.0, 2.0))),
        ("params.lr is null", Condition(LR, "IS NULL", None)),
        ("params.lr IS NOT NULL", Condition(LR, "IS NOT NULL", None)),
        ("status = 'RUNNING'", Condition(STATUS, "=", "RUNNING")),
        ("attributes.status = 'RUNNING'", Condition(STATUS, "=", "RUNNING")),
        ("attr.status='RUNNING'", Condition(STATUS, "=", "RUNNING")),
        ("run.status='RUNNING'", Condition(STATUS, "=", "RUNNING")),
        ("`attributes`.`status`='RUNNING'", Condition(STATUS, "=", "RUNNING")),
        ("Created > 3", Condition(Field(Group.ATTRIBUTE, "start_time"), ">", 3.0)),
        ("attributes.created > 3", Condition(Field(Group.ATTRIBUTE, "start_time"), ">", 3.0)),
        ("attributes.`Run name` = 'a'", Condition(Field(Group.ATTRIBUTE, "run_name"), "=", "a")),
        ("\"run name\" = 'a'", Condition(Field(Group.ATTRIBUTE, "run_name"), "=", "a")),
        ("tags.mlflow.parentRunId = 'a'", Condition(Field(Group.TAG, "mlflow.parentRunId"), "=", "a")),
        ("tags.`a b.c` = 'x'", Condition(Field(Group.TAG, "a b.c"), "=", "x")),
        ("tags.`a``b` = 'x'", Condition(Field(Group.TAG, "a`b"), "=", "x")),
        ("tags.\"k's\" = 'x'", Condition(Field(Group.TAG, "k's"), "=", "x")),
        ("params.Größe/a-b:c@d = 'x'", Condition(Field(Group.PARAM, "Größe/a-b:c@d"), "=", "x")),
        ("params.min = 'x'", Condition(Field(Group.PARAM, "min"), "=", "x")),
        ("dataset.name = 'x'", Condition(Field(Group.DATASET, "name"), "=", "x")),
        ("metrics.`loss`.min < 1", Condition(metric("loss", "min"), "<", 1.0)),
        ("metrics.`loss.min` < 1", Condition(metric("loss.min"), "<", 1.0)),
        ("metrics.`a.min`.max < 1", Condition(metric("a.min", "max"), "<", 1.0)),
        ("metrics.loss.min < 1", Condition(metric("loss.min", "last", metric("loss", "min")), "<", 1.0)),
        ("metrics.a.b.first < 1", Condition(metric("a.b.first", "last", metric("a.b", "first")), "<", 1.0)),
        ("metrics.loss.mean < 1", Condition(metric("loss.mean"), "<", 1.0)),
        ("metrics.min < 1", Condition(metric("min"), "<", 1.0)),
    ],
)
def test_a_condition(text: str, meaning: Condition) -> None:
    assert parse_filter(text) == meaning


A, B, C = (Condition(Field(Group.TAG, key), "=", "1") for key in "abc")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", Every(())),
        (" \n\t", Every(())),
        ("tags.a='1' AND tags.b='1'", Every((A, B))),
        ("tags.a='1' and tags.b='1' And tags.c='1'", Every((A, B, C))),
        ("tags.a='1' OR tags.b='1' AND tags.c='1'", Either((A, Every((B, C))))),
        ("(tags.a='1' OR tags.b='1') AND tags.c='1'", Every((Either((A, B)), C))),
        ("((tags.a='1'))", A),
        ("(" * 50 + "tags.a='1'" + ")" * 50, A),
    ],
)
def test_conditions_together(text: str, meaning: Expression) -> None:
    assert parse_filter(text) == meaning


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("metrics.loss < 'a'", 15, "expected a number"),
        ("metrics.loss <", 14, "expected a number"),
        ("metrics.loss < nan", 15, "expected a number"),
        ("metrics.loss < 1_0", 15, "expected a number"),
        ("metrics.loss LIKE 'a'", 13, "numbers are compared with"),
        ("metrics.loss == 1", 13, "numbers are compared with"),
        ("params.lr < '1'", 10, "texts are compared with"),
        ("params.lr <> '1'", 10, "texts are compared with"),
        ("params.lr = 1", 12, "expected a text"),
        ("params.lr = `1`", 12, "expected a text"),
        ("params.lr", 9, "texts are compared with"),
        ("params.lr = 'a", 12, "has no end"),
        ("params.`lr = 'a'", 7, "has no end"),
        ("params. = 'a'", 7, "is missing"),
        ("loss < 1", 0, "is no attribute"),
        ("foo.loss < 1", 0, "is no kind of field"),
        ("Metrics.loss < 1", 0, "is no kind of field"),
        ("attributes.loss < 1", 0, "is no attribute"),
        ("datasets.size < 1", 0, "datasets have name, digest, context"),
        ("metrics.`loss`.mean < 1", 14, ".min, .max, .first"),
        ("metrics.`loss`min < 1", 14, ".min, .max, .first"),
        ("params.`lr`.min = '1'", 11, "the end of the name"),
        ("params.a`b` = '1'", 8, "either bare or in quotes"),
        ("`params`lr = '1'", 8, "expected a dot"),
        ("params.lr IN ()", 14, "expected a text"),
        ("params.lr IN 'a'", 13, "expected ("),
        ("params.lr IN ('a' 'b')", 18, "expected , or )"),
        ("params.lr NOT LIKE 'a'", 14, "expected IN"),
        ("params.lr IS 'a'", 13, "expected NULL or NOT NULL"),
        ("params.lr IS NOT 'a'", 17, "expected NULL"),
        ("params.lr = 'a' params.lr = 'b'", 16, "expected AND, OR or the end"),
        ("params.lr = 'a' AND", 19, "expected a field"),
        ("params.lr = 'a';", 15, "expected AND, OR or the end"),
        ("(params.lr = 'a'", 16, "expected AND, OR or )"),
        ("params.lr = 'a')", 15, "expected AND, OR or the end"),
        ("NOT params.lr = 'a'", 0, "is no attribute"),
        ("()", 1, "expected a field"),
        ("params.lr ! 'a'", 10, "unexpected character"),
        ("params.a\0b = 'a'", 8, "NUL"),
        ("(" * 51 + "tags.a='1'", 50, "more than 50 parentheses"),
        (" OR ".join(["tags.a='1'"] * 1001), 14 * 1000, "more than 1000 conditions"),
    ],
)
def test_a_fault_has_a_place_and_a_reason(text: str, position: int, problem: str) -> None:
    with pytest.raises(FilterError, match=re.escape(problem)) as raised:
        parse_filter(text)
    assert raised.value.position == position
    assert str(raised.value).startswith(f"filter_string is wrong at character {position + 1}, ")


@pytest.mark.parametrize(
    ("text", "field", "ascending"),
    [
        ("metrics.loss", LOSS, True),
        ("metrics.loss asc", LOSS, True),
        (" metrics.loss   DESC ", LOSS, False),
        ("metrics.`loss`.max DESC", metric("loss", "max"), False),
        ("start_time", Field(Group.ATTRIBUTE, "start_time"), True),
        ("params.`l r` DESC", Field(Group.PARAM, "l r"), False),
    ],
)
def test_an_order(text: str, field: Field, ascending: bool) -> None:
    assert grammar.parse_orders([text]) == [grammar.Order(field, ascending)]


@pytest.mark.parametrize(
    ("texts", "position", "problem"),
    [
        ([""], 0, "expected a field"),
        (["metrics.loss down"], 13, "expected ASC, DESC"),
        (["metrics.loss ASC, params.lr"], 16, "expected ASC, DESC"),
        (["datasets.name"], 0, "cannot be ordered"),
        (["start_time", "Created DESC"], 0, "there twice"),
        (["metrics.a", "metrics.b", "metrics.a"], 0, "there twice"),
        ([f"metrics.m{number}" for number in range(51)], 0, "more than 50 clauses"),
    ],
)
def test_what_is_no_order(texts: list[str], position: int, problem: str) -> None:
    with pytest.raises(FilterError, match=problem) as raised:
        grammar.parse_orders(texts)
    assert (raised.value.argument, raised.value.position) == ("order_by", position)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a", ["a"], ["A", "ab", "ba", ""]),
        ("a%", ["a", "ab", "a\nb"], ["ba", ""]),
        ("%a", ["a", "ba"], ["ab"]),
        ("%a%", ["a", "bab"], ["b", ""]),
        ("a%a", ["aa", "aba"], ["a"]),
        ("_", ["a", "\n", "ß"], ["", "ab"]),
        ("a_c%", ["abc", "abcd"], ["ac"]),
        ("%ab%ba%", ["abba", "xabxbax"], ["aba"]),
        ("%", ["", "a"], []),
        ("", [""], ["a"]),
        (r"100\%", ["100%"], ["1000", "100"]),
        (r"a\_b", ["a_b"], ["axb"]),
        ("a.c", ["a.c"], ["abc"]),
        ("a\\", ["a\\"], ["a"]),
    ],
)
def test_like(pattern: str, yes: list[str], no: list[str]) -> None:
    like, ilike = (matcher(pattern, ignore_case=ignore_case) for ignore_case in (False, True))
    assert [text for text in [*yes, *no] if like(text)] == yes
    assert all(ilike(text.upper()) for text in yes if text != "ß")


def test_no_pattern_takes_long() -> None:
    """A pattern that backtracks would take years here."""
    assert not matcher("%a" * 2000 + "b", ignore_case=True)("a" * 8000)
    assert not matcher("%_a" * 2000 + "b", ignore_case=False)("a" * 8000)
