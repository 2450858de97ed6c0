"""DynamoDB's answers are parsed as botocore parses them."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from botocore.parsers import JSONParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.clock import Clock
from chalicelib.cloud.aws import Clients
from chalicelib.tables.connection import OwnConnection

BASE64 = st.binary().map(lambda value: base64.b64encode(value).decode())
NUMBER = st.integers().map(str)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries({"S": st.text()})
    | st.fixed_dictionaries({"N": NUMBER})
    | st.fixed_dictionaries({"B": BASE64})
    | st.fixed_dictionaries({"BOOL": st.booleans()})
    | st.just({"NULL": True})
    | st.fixed_dictionaries({"SS": st.lists(st.text())})
    | st.fixed_dictionaries({"BS": st.lists(BASE64)}),
    lambda one: (
        st.fixed_dictionaries({"L": st.lists(one)})
        | st.fixed_dictionaries({"M": st.dictionaries(st.text(), one)})
    ),
    max_leaves=8,
)
"""A value in an item, in each of the ways that DynamoDB stores one."""
ITEMS = st.dictionaries(st.text(), VALUES)


@cache
def parser_and_shapes() -> tuple[Any, dict[str, Any]]:
    """The product's parser, and the shapes of DynamoDB's answers."""
    client = OwnConnection("eu-west-1", Clients("eu-west-1", Clock())).client
    parser = client._endpoint._response_parser_factory.create_parser("json")
    model = client.meta.service_model
    names = ("GetItem", "Query", "BatchGetItem")
    return parser, {name: model.operation_model(name).output_shape for name in names}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(items=st.lists(ITEMS, min_size=1, max_size=2))
def test_an_answer_is_parsed_as_botocore_parses_it(items: list[dict[str, Any]]) -> None:
    """The result is equal whatever kinds of value the items have."""
    bodies: dict[str, Any] = {
        "GetItem": {"Item": items[0]},
        "Query": {"Items": items, "Count": len(items)},
        "BatchGetItem": {"Responses": {"a-table": items}, "UnprocessedKeys": {}},
    }
    parser, shapes = parser_and_shapes()
    assert type(parser) is not JSONParser
    for operation, body in bodies.items():
        answer = {"status_code": 200, "headers": {}, "body": json.dumps(body).encode()}
        shape = shapes[operation]
        assert parser.parse(answer, shape) == JSONParser().parse(answer, shape)
