import pytest

from t2t.linear.grounding import MOST_PLACES, Cursor, SourceText, ground
from t2t.structures import Span


def find(source: str, *surfaces: str, reuse: bool = False) -> list[Span]:
    cursor, text = Cursor(reuse), SourceText(source)
    return [ground(text, surface, cursor) for surface in surfaces]


@pytest.mark.parametrize(
    ("source", "surface", "place", "found"),
    [
        ("in London now", "London", (3, 9), "exact"),
        ("Artland has art", "art", (12, 15), "exact"),
        ("tell us about the US", "US", (18, 20), "exact"),
        ("in İstanbul now", "istanbul", (3, 11), "accents"),
        ("in İstanbul now", "i̇stanbul", (3, 11), "folded"),
        ("go to 吉野家 today", "<unk>野家", (6, 9), "accents"),
        ("ＡＢＣ店", "abc店", (0, 4), "folded"),
        ("a ﬁne day", "fine", (2, 5), "folded"),
        ("½ cup", "1⁄2 cup", (0, 5), "folded"),
        ("a 👩‍🔬 here", "👩‍🔬", (2, 5), "exact"),
        ("New\u00a0York", "new york", (0, 8), "folded"),
        ("two  spaces", "two spaces", (0, 11), "folded"),
        ("caf\u0065\u0301 noir", "café noir", (0, 10), "folded"),
        ("visited Gdańsk", "Gdansk", (8, 14), "accents"),
        ("met Jonathan Smythe there", "Jonathon Smythe", (4, 19), "fuzzy"),
        ("我爱北京天安门", "北京", (2, 4), "exact"),
        ("nothing here", "London", None, "absent"),
        ("nothing here", "", None, "absent"),
        ("abc", "<unk>", None, "absent"),
    ],
)
def test_tiers(source: str, surface: str, place: tuple[int, int] | None, found: str) -> None:
    (span,) = find(source, surface)
    assert span.found == found
    assert (span.start, span.end) == (place or (None, None))
    assert span.text == (source[slice(*place)] if place else surface)


def test_the_same_mention_three_times_takes_three_places() -> None:
    spans = find("Paris, Paris and Paris", "Paris", "Paris", "Paris")
    assert [span.start for span in spans] == [0, 7, 17]
    assert spans[0].ambiguous


def test_a_fourth_mention_falls_back_on_a_place_already_taken() -> None:
    assert [span.start for span in find("Paris, Paris", "Paris", "Paris", "Paris")] == [0, 7, 7]


def test_reuse_lets_arguments_stand_on_one_place() -> None:
    assert [span.start for span in find("Paris, Paris", "Paris", "Paris", reuse=True)] == [0, 0]


def test_nested_mentions_are_allowed() -> None:
    assert [(s.start, s.end) for s in find("New York City", "New York City", "New York")] == [(0, 13), (0, 8)]


def test_mentions_are_taken_in_the_order_generated() -> None:
    spans = find("art in Rome, art in Oslo", "Rome", "art", "Oslo")
    assert [span.start for span in spans] == [7, 13, 20]


def test_a_number_names_the_occurrence() -> None:
    assert ground(SourceText("a b a b a"), "a", Cursor(False), 3).start == 8
    assert ground(SourceText("a b a b a"), "a", Cursor(False), 9).start == 0


def test_a_row_of_unknown_pieces_is_one_wildcard_and_many_rows_are_none() -> None:
    (span,) = find("go to 吉野家 today", "<unk><unk>家")
    assert (span.found, span.start, span.end) == ("accents", 6, 9)
    (span,) = find("a" * 5000, "<unk>a" * 12 + "zz")
    assert span.found == "absent"


def test_a_long_source_that_repeats_itself_is_looked_through_once() -> None:
    source, cursor = SourceText("Paris is nice. " * 70_000), Cursor(False)
    assert len(source.exact("Paris")) == MOST_PLACES
    assert source.exact("Paris") is source.exact("Paris")
    spans = [ground(source, "Paris", cursor) for _ in range(3000)]
    assert [span.start for span in spans] == [15 * index for index in range(3000)]
