"""Records are read from DynamoDB's items as PynamoDB would read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynamodb.attributes import (
    Attribute,
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)

from chalicelib.tables import month_costs, records, run_records
from chalicelib.tables.item_reading import record_of
from chalicelib.tables.records import Record

MODELS = [
    model
    for module in (records, run_records, month_costs)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, Record) and model.__module__ == module.__name__
]
TIMES = st.datetimes(timezones=st.just(UTC))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
)
VALUES: dict[type[Attribute[Any]], st.SearchStrategy[Any]] = {
    UnicodeAttribute: st.text(),
    BooleanAttribute: st.booleans(),
    NumberAttribute: st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    JSONAttribute: JSON.filter(lambda value: value is not None),
    UTCDateTimeAttribute: TIMES,
    ListAttribute: st.lists(st.binary(min_size=1)),
    TTLAttribute: st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text builds Unicode's tables
@given(data=st.data())
def test_a_record_is_read_as_pynamodb_reads_it(model: type[Record], data: st.DataObject) -> None:
    """
    Each attribute that a model may have gets the same value of the same type; one that the item
    lacks gets its default, and one that the model does not know is left out.
    """
    item: dict[str, Any] = {"of_another_version": {"S": "unknown"}}
    for attribute in model.get_attributes().values():
        if data.draw(st.booleans()):
            value = data.draw(VALUES[type(attribute)])
            item[attribute.attr_name] = {attribute.attr_type: attribute.serialize(value)}
        elif data.draw(st.booleans()):
            item[attribute.attr_name] = {"NULL": True}
    read, expected = record_of(model, item), model.from_raw_data(item)
    assert type(read) is type(expected)
    assert vars(read) == vars(expected)
    for name in model.get_attributes():
        assert type(getattr(read, name)) is type(getattr(expected, name)), name


def test_two_records_share_no_value_that_can_change() -> None:
    """What is done to one record of a page does not reach another."""
    item = {"pk": {"S": "job_1"}, "sk": {"S": "run_1"}, "tags": {"S": '["a"]'}}
    one, other = (record_of(run_records.Run, item) for _ in range(2))
    assert one.tags is not None
    one.tags.append("b")
    one.rev = 7
    assert other.tags == ["a"]
    assert other.rev is None
