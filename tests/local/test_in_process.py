"""AWS calls of the stack's own process need no socket, and are answered as the server answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.httpsession import URLLib3Session
from moto import mock_aws
from moto.ecs.models import EC2ContainerServiceBackend

from infra.local import REGION, provision
from infra.local.aws_server import AwsServer

ROOT = Path(__file__).parents[2]
ONE_TRY = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsServer]:
    """The stack's AWS, with its tables."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        made = AwsServer()
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        provision.create("local")
        yield made
        made.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """URLs of the requests that botocore sends through a socket."""
    urls: list[str] = []
    send = URLLib3Session.send

    def noted(session: URLLib3Session, request: Any) -> Any:
        urls.append(request.url)
        return send(session, request)

    monkeypatch.setattr(URLLib3Session, "send", noted)
    return urls


def client(service: str, url: str) -> Any:
    session = boto3.session.Session(region_name=REGION)
    return session.client(service, endpoint_url=url, config=ONE_TRY)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("dynamodb", lambda aws: aws.list_tables()["TableNames"]),
        ("ecs", lambda aws: aws.list_clusters()["clusterArns"]),
        ("events", lambda aws: aws.list_event_buses()["EventBuses"]),
        ("logs", lambda aws: aws.create_log_group(logGroupName="group")),
        ("cloudwatch", lambda aws: aws.list_metrics()["ResponseMetadata"]),
    ],
)
def test_a_call_of_the_same_process_is_answered_without_a_socket(
    server: AwsServer, sent: list[str], service: str, call: Callable[[Any], Any]
) -> None:
    """Those of the product, and of the local Fargate."""
    assert call(client(service, server.url))
    assert sent == []


def test_a_service_that_the_product_does_not_use_is_answered_by_the_server(
    server: AwsServer, sent: list[str]
) -> None:
    """Nothing is refused for being called in the same process."""
    assert client("sts", server.url).get_caller_identity()["Account"] == provision.ACCOUNT
    assert sent == [f"{server.url}/"]


def test_another_process_sees_what_this_one_has_stored(server: AwsServer) -> None:
    """As the AWS CLI does, through the server."""
    client("logs", server.url).create_log_group(logGroupName="seen")
    code = (
        "import boto3, sys; logs = boto3.client('logs', endpoint_url=sys.argv[1], "
        f"region_name='{REGION}'); print(logs.describe_log_groups()['logGroups'][0]['arn'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, server.url], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"arn:aws:logs:{REGION}:{provision.ACCOUNT}:log-group:seen:*\n"


REFUSED: list[tuple[str, Callable[[Any], Any]]] = [
    (
        "dynamodb",
        lambda aws: aws.put_item(
            TableName=provision.settings("local")["JOBYARD_JOBS_TABLE"],
            Item={"pk": {"S": "a"}, "sk": {"S": "b"}},
            ConditionExpression="attribute_exists(pk)",
        ),
    ),
    ("dynamodb", lambda aws: aws.get_item(TableName="none", Key={"pk": {"S": "a"}})),
    ("ecs", lambda aws: aws.run_task(cluster="jobyard-local", taskDefinition="x", count=11)),
    ("events", lambda aws: aws.put_rule(Name="r", ScheduleExpression="cron(* * * * ? * *)")),
    ("logs", lambda aws: aws.put_retention_policy(logGroupName="g", retentionInDays=2)),
    ("logs", lambda aws: aws.get_log_events(logGroupName="none", logStreamName="none")),
]


@pytest.mark.parametrize(("service", "call"), REFUSED)
def test_a_refusal_is_the_same_with_and_without_a_socket(
    server: AwsServer, sent: list[str], service: str, call: Callable[[Any], Any]
) -> None:
    """The fidelity lies over moto, not over its server."""
    answers = []
    # The same server by another name goes through a socket.
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(ClientError) as refused:
            call(client(service, url))
        status = refused.value.response["ResponseMetadata"]["HTTPStatusCode"]
        answers.append((status, refused.value.response["Error"]))
    assert len(sent) == 1
    assert answers[0] == answers[1]


def test_a_failure_of_moto_is_a_500_of_aws(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Product code never sees moto's own exceptions."""

    def fail(*_: Any) -> None:
        raise RuntimeError("moto's own mistake")

    aws = client("ecs", server.url)
    monkeypatch.setattr(EC2ContainerServiceBackend, "list_clusters", fail)
    with pytest.raises(ClientError) as failed:
        aws.list_clusters()
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_a_server_that_is_closed_answers_nobody(server: AwsServer) -> None:
    """Clients that are left do not go on with moto behind it."""
    aws = client("ecs", server.url)
    second = AwsServer()
    left = client("ecs", second.url)
    second.close()
    with pytest.raises(EndpointConnectionError):
        left.list_clusters()
    assert aws.list_clusters()["clusterArns"]


def test_the_stack_starts_without_what_only_some_requests_need() -> None:
    """moto's EC2 and the server's Flask take longer to import than everything else together."""
    code = (
        "import sys\nfrom infra.local.aws_server import AwsServer\nfrom infra.local import stack\n"
        "AwsServer().close()\n"
        "print([n for n in ('flask', 'moto.ec2.models', 'docker') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_ecs_still_reaches_moto_s_ec2(server: AwsServer) -> None:
    """What of ECS needs EC2 imports it then: a container instance names an EC2 instance."""
    ecs = client("ecs", server.url)
    ecs.create_cluster(clusterName="c")
    image = client("ec2", server.url).describe_images()["Images"][0]["ImageId"]
    made = client("ec2", server.url).run_instances(ImageId=image, MinCount=1, MaxCount=1)
    document = f'{{"instanceId": "{made["Instances"][0]["InstanceId"]}"}}'
    answer = ecs.register_container_instance(cluster="c", instanceIdentityDocument=document)
    assert answer["containerInstance"]["status"] == "ACTIVE"
