"""
The one door to DynamoDB: every read and write of every table is a method of `Database`.

| to | call |
|---|---|
| read one record, or many of any tables | `get`, `get_many` |
| read a partition, an index, a table | `query`, `query_page`, `scan` |
| write one record on a condition | `put`, `update` |
| write several together on conditions | `Transaction` (in `transaction`) |
| remove records whatever they are | `delete_many` |

Reads are consistent, except through a global index. A condition that does not hold is an answer:
`put` and `update` return False, `Transaction.commit` the labels that failed. Throttling and
outages become `Unavailable`, what is too large `TooLargeToStore`. Limits of the batch calls are
known here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.cloud import aws
from chalicelib.tables.connection import OwnConnection
from chalicelib.tables.expressions import key_of
from chalicelib.tables.failures import code_of, may_pass, translated
from chalicelib.tables.item_reading import record_of
from chalicelib.tables.records import Job, Record, SortedRecord, Token
from chalicelib.tables.run_records import Run

if TYPE_CHECKING:
    from chalicelib.clock import Clock

R = TypeVar("R", bound=Record)
Key = tuple[str, str]

CONFLICT_TRIES = 12
READ_BATCH = 100
"""Items that one BatchGetItem takes."""
WRITE_BATCH = 25
"""Items that one BatchWriteItem takes."""


@dataclass(slots=True)
class Database:
    """The stage's tables, through one connection that is made at first use."""

    table_names: Mapping[str, str]
    """Table names by the `table` of their records."""
    region: str
    clients: aws.Clients
    clock: Clock
    _connection: OwnConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = OwnConnection(self.region, self.clients)
        for model in (Job, Run, Token):
            if model.table in self.table_names:
                self._connection.add_table(self.name_of(model), model)

    @property
    def client(self) -> Any:
        """The botocore client of every request."""
        return self._connection.client

    def name_of(self, model: type[Record]) -> str:
        """The name of the table that holds records of `model`."""
        return self.table_names[model.table]

    def get(self, model: type[R], pk: str, sk: str | None = None) -> R | None:
        """One record, or None."""
        answer = self._call(
            "read a record",
            lambda: self._connection.get_item(
                self.name_of(model), pk, range_key=sk, consistent_read=True
            ),
        )
        item = answer.get("Item")
        return record_of(model, item) if item else None

    def get_many(self, keys: Sequence[tuple[type[SortedRecord], str, str]]) -> list[Any]:
        """
        Records of the jobs and runs tables, in the order of `keys`, None where there is none;
        READ_BATCH a call.
        """
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        wanted = list(dict.fromkeys((self.name_of(model), pk, sk) for model, pk, sk in keys))
        for start in range(0, len(wanted), READ_BATCH):
            batch: dict[str, Any] = {}
            for table, pk, sk in wanted[start : start + READ_BATCH]:
                of_table = batch.setdefault(table, {"ConsistentRead": True, "Keys": []})
                of_table["Keys"].append(_raw_key(pk, sk))
            for answer in self._until_all("BatchGetItem", batch, "UnprocessedKeys"):
                for table, items in answer["Responses"].items():
                    found |= {(table, item["pk"]["S"], item["sk"]["S"]): item for item in items}
        raw = [(model, found.get((self.name_of(model), pk, sk))) for model, pk, sk in keys]
        return [record_of(model, item) if item else None for model, item in raw]

    def _until_all(self, operation: str, wanted: Any, left: str) -> Iterator[dict[str, Any]]:
        """The answers to a batch; unprocessed keys are sent again, until the deadline."""
        for _ in self.clock.tries(None, first=0.05, longest=1.0):
            yield (answer := self._dispatch(operation, {"RequestItems": wanted}))
            wanted = answer.get(left)
            if not wanted:
                return
        raise aws.unavailable("read or write all records in time")

    def _dispatch(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        def send() -> Any:
            return self._connection.dispatch(operation, request)

        answer: dict[str, Any] = self._call(f"finish DynamoDB's {operation}", send)
        return answer

    def query(self, model: type[R], pk: str, **how: Any) -> Iterator[R]:
        """All records that `query_page` finds, page by page; the caller stops iterating."""
        after = None
        while True:
            page, after = self.query_page(model, pk, after=after, **how)
            yield from page
            if after is None:
                return

    def query_page(
        self,
        model: type[R],
        pk: str,
        *,
        sort: Condition | None = None,
        where: Condition | None = None,
        index: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        attributes: Sequence[str] | None = None,
        after: Any = None,
    ) -> tuple[list[R], Any]:
        """
        A page of a partition, and where the next one begins (None: there is none).

        `sort` restricts the sort key, `where` filters what was read, `limit` is how many are
        read. The table itself is read consistently; an index lags, and cannot be.
        """
        answer = self._call(
            "read a list",
            lambda: self._connection.query(
                self.name_of(model),
                pk,
                range_key_condition=sort,
                filter_condition=where,
                attributes_to_get=attributes,
                consistent_read=index is None,
                exclusive_start_key=after,
                index_name=index,
                limit=limit,
                scan_index_forward=not newest_first,
            ),
        )
        return [record_of(model, item) for item in answer["Items"]], answer.get("LastEvaluatedKey")

    def scan(self, model: type[R]) -> Iterator[R]:
        """Every record of a table, in no order."""
        after = None
        while True:
            answer = self._call(
                "read a table",
                lambda after=after: self._connection.scan(  # type: ignore[misc]  # bound at once
                    self.name_of(model), exclusive_start_key=after, consistent_read=True
                ),
            )
            yield from (record_of(model, item) for item in answer["Items"])
            after = answer.get("LastEvaluatedKey")
            if after is None:
                return

    def put(self, record: Record, condition: Condition | None = None) -> bool:
        """Store a whole record. False: the condition did not hold, and nothing was stored."""
        pk, sk = key_of(record)
        return self._written(
            lambda: self._connection.put_item(
                self.name_of(type(record)),
                pk,
                range_key=sk,
                attributes=record.serialize(),
                condition=condition,
            )
        )

    def update(
        self, record: Record, actions: list[Action], condition: Condition | None = None
    ) -> bool:
        """
        Change a record, and bring the object up to date.

        False: the condition did not hold, and nothing was changed.
        """
        pk, sk = key_of(record)

        def send() -> None:
            answer = self._connection.update_item(
                self.name_of(type(record)),
                pk,
                range_key=sk,
                actions=actions,
                condition=condition,
                return_values="ALL_NEW",
            )
            record.attribute_values = record_of(type(record), answer["Attributes"]).attribute_values

        return self._written(send)

    def _written(self, send: Callable[[], object]) -> bool:
        """
        Send a conditional write; returns whether it was made. DynamoDB refuses it while a
        transaction on the item is under way, and botocore does not repeat it then: this does, with
        jitter.
        """
        last: Exception | None = None
        for _ in self._conflict_tries():
            try:
                send()
            except PynamoDBException as error:
                code, last = code_of(error), error
                if code == "ConditionalCheckFailedException":
                    return False
                if code != "TransactionConflictException":
                    break
            else:
                return True
        raise _refused(last) from last

    def _conflict_tries(self) -> Iterator[int]:
        return self.clock.tries(CONFLICT_TRIES, first=0.02, longest=0.5)

    def delete_many(self, model: type[Record], keys: Iterable[tuple[str, str | None]]) -> None:
        """Remove records of one table, WRITE_BATCH a call; those that do not exist are no error."""
        requests = [{"DeleteRequest": {"Key": _raw_key(pk, sk)}} for pk, sk in keys]
        for start in range(0, len(requests), WRITE_BATCH):
            wanted = {self.name_of(model): requests[start : start + WRITE_BATCH]}
            for _ in self._until_all("BatchWriteItem", wanted, "UnprocessedItems"):
                pass  # each answer only says what is left

    def send_transaction(self, items: Sequence[dict[str, Any]]) -> frozenset[int]:
        """
        Store everything: the positions in `items` whose condition failed; none: it was stored.

        A conflict with another transaction on the same item proves that nothing was stored, so the
        transaction is sent again, with jitter, until the deadline; botocore does not repeat it.
        """
        last: Exception | None = None
        for _ in self._conflict_tries():
            try:
                self._transact(items)
            except TransactWriteError as error:
                last = error
                codes = [reason.code if reason else None for reason in error.cancellation_reasons]
                failed = {n for n, code in enumerate(codes) if code == "ConditionalCheckFailed"}
                if failed:
                    return frozenset(failed)
                if not may_pass(codes):
                    break
            else:
                return frozenset()
        raise _refused(last) from last

    def _transact(self, items: Sequence[dict[str, Any]]) -> None:
        try:
            self._connection.dispatch("TransactWriteItems", {"TransactItems": list(items)})
        except (ClientError, BotoCoreError) as error:
            raise TransactWriteError("a transaction was not stored", error) from error

    def arguments(self, model: type[Record], at: tuple[str, str | None], **what: Any) -> Any:
        """The arguments of one write, with its condition and actions as DynamoDB takes them."""
        pk, sk = at
        return self._connection.get_operation_kwargs(self.name_of(model), pk, range_key=sk, **what)

    def _call(self, what: str, send: Callable[[], Any]) -> Any:
        try:
            return send()
        except (PynamoDBException, ClientError, BotoCoreError) as error:
            raise translated(error, what) from error


def _refused(last: Exception | None) -> Exception:
    """The error of a write whose last try failed with `last`; None: there was no time for one."""
    what = "store a change"
    return aws.unavailable(what) if last is None else translated(last, what)


def _raw_key(pk: str, sk: str | None) -> dict[str, Any]:
    return {"pk": {"S": pk}} if sk is None else {"pk": {"S": pk}, "sk": {"S": sk}}
