"""The stack's tables and the models of the code have the same keys and indexes."""

from __future__ import annotations

from typing import Any

import pytest
from pynamodb.models import Model

from chalicelib.tables import records, run_records
from chalicelib.tables.records import Job, Record, Token
from chalicelib.tables.run_records import Run
from infra.local import template as stack

RECORDS = [
    model
    for model in {**vars(records), **vars(run_records)}.values()
    if isinstance(model, type) and issubclass(model, Record) and vars(model).get("table")
]
MODELS: dict[str, tuple[type[Model], ...]] = {
    f"{table.capitalize()}Table": tuple(model for model in RECORDS if model.table == table)
    for table in sorted({model.table for model in RECORDS})
}
INDEXED: dict[str, type[Model]] = {"JobsTable": Job, "RunsTable": Run, "TokensTable": Token}


def defined(table: str) -> dict[str, Any]:
    return stack.resources("AWS::DynamoDB::Table")[table]


def keys(schema: Any) -> dict[str, str]:
    """The key attributes as `{"HASH": name, "RANGE": name}`."""
    return {part["KeyType"]: part["AttributeName"] for part in schema}


def indexes(found: list[dict[str, Any]], name: str, schema: str, projection: str) -> dict[str, Any]:
    return {
        index[name]: (keys(index[schema]), sorted(map(str, index[projection].values())))
        for index in found
    }


def test_the_stack_has_the_tables_that_the_models_live_in() -> None:
    """There is no table without models and no model without a table."""
    assert stack.resources("AWS::DynamoDB::Table").keys() == MODELS.keys()


@pytest.mark.parametrize("table", MODELS)
def test_every_record_of_a_table_has_the_tables_keys(table: str) -> None:
    """Records of several kinds share a table, so all must have its keys."""
    for model in MODELS[table]:
        assert keys(model._get_schema()["key_schema"]) == keys(defined(table)["KeySchema"])


@pytest.mark.parametrize("table", MODELS)
@pytest.mark.parametrize("kind", ["Global", "Local"])
def test_indexes_are_those_that_the_models_query(table: str, kind: str) -> None:
    """
    Name, keys and projection agree: a query would read null for a field that is not projected.
    """
    in_stack = defined(table).get(f"{kind}SecondaryIndexes", [])
    schema: Any = INDEXED[table]._get_schema()
    in_model = schema[f"{kind.lower()}_secondary_indexes"]
    assert indexes(in_stack, "IndexName", "KeySchema", "Projection") == indexes(
        in_model, "index_name", "key_schema", "projection"
    )


@pytest.mark.parametrize("table", MODELS)
def test_key_attributes_have_the_models_types(table: str) -> None:
    """A definition has the types of keys only; DynamoDB refuses any other attribute."""
    in_stack = {
        (a["AttributeName"], a["AttributeType"]) for a in defined(table)["AttributeDefinitions"]
    }
    schema = INDEXED[table]._get_schema()
    in_model = {(a["AttributeName"], a["AttributeType"]) for a in schema["attribute_definitions"]}
    assert in_stack == in_model


@pytest.mark.parametrize("table", MODELS)
def test_records_that_expire_use_the_tables_ttl_attribute(table: str) -> None:
    """DynamoDB's TTL reads one attribute, which must be a number."""
    ttl = defined(table)["TimeToLiveSpecification"]["AttributeName"]
    types = {
        model.get_attributes()[ttl].attr_type
        for model in MODELS[table]
        if ttl in model.get_attributes()
    }
    assert types == {"N"}


@pytest.mark.parametrize("table", MODELS)
def test_tables_have_deletion_protection_and_backups(table: str) -> None:
    """They are on demand and encrypted, and neither a stack nor a mistake deletes them."""
    resource = stack.read()["Resources"][table]
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    properties = resource["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["DeletionProtectionEnabled"] is True
