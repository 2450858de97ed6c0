"""The packaged template: what CloudFormation gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import app
from chalicelib import log
from chalicelib.domain import errors
from infra import dependencies, package
from tests.deploy.linting import lint

ANY = "x-amazon-apigateway-any-method"
CATCH_ALL = {"/", "/{proxy+}"}
FUNCTIONS = {
    "APIHandler": "api",
    "TaskChanged": "task-changed",
    "Fire": "fire",
    "Sweep": "sweep",
    "SweepPart": "sweep-part",
    "Audit": "audit",
    "JobResource": "job-resource",
}


def resources(template: dict[str, Any], type_: str) -> dict[str, dict[str, Any]]:
    found = template["Resources"].items()
    return {name: entry["Properties"] for name, entry in found if entry["Type"] == type_}


def paths(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rest = resources(template, "AWS::Serverless::Api")["RestAPI"]
    found: dict[str, dict[str, Any]] = rest["DefinitionBody"]["paths"]
    return found


def test_cfn_lint_finds_nothing(packaged: package.Package) -> None:
    """cfn-lint reports neither errors nor warnings for three regions."""
    regions = ("us-east-1", "eu-central-1", "ap-southeast-2")
    assert lint(packaged.template, *regions) == ("", 0)


def test_api_gateway_has_the_routes_of_the_local_stack(template: dict[str, Any]) -> None:
    """Both are made from the same table of routes."""
    deployed = {
        path: {method.upper() for method in methods if method != ANY}
        for path, methods in paths(template).items()
        if path not in CATCH_ALL
    }
    assert deployed == {path: set(methods) for path, methods in app.app.routes.items()}


def test_unknown_paths_and_methods_reach_the_function(template: dict[str, Any]) -> None:
    """API Gateway's own answer to an unknown path or method would be a 403."""
    assert paths(template).keys() >= CATCH_ALL
    integrations = {
        json.dumps(method["x-amazon-apigateway-integration"], sort_keys=True)
        for methods in paths(template).values()
        for method in methods.values()
    }
    assert all(ANY in methods for methods in paths(template).values())
    assert len(integrations) == 1 and "${APIHandler.Arn}" in integrations.pop()


def test_there_is_one_stage_and_it_is_regional_and_throttled(template: dict[str, Any]) -> None:
    """
    Without OpenApiVersion SAM adds a second stage, open and without limits (see the e2e tests).
    """
    assert template["Globals"]["Api"] == {"OpenApiVersion": "2.0"}
    rest = resources(template, "AWS::Serverless::Api")["RestAPI"]
    assert (rest["StageName"], rest["EndpointConfiguration"]) == ("api", "REGIONAL")
    (settings,) = rest["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["ThrottlingRateLimit"] == {"Ref": "ApiRateLimit"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "ApiBurstLimit"}


def test_the_gateways_own_errors_are_envelopes_without_the_callers_text(
    template: dict[str, Any],
) -> None:
    """
    API Gateway's default bodies repeat parts of the request, such as the Authorization header.
    """
    rest = resources(template, "AWS::Serverless::Api")["RestAPI"]
    for kind, response in rest["GatewayResponses"].items():
        (body,) = response["ResponseTemplates"].values()
        assert "$" not in body, kind
        envelope = json.loads(body)
        assert envelope.keys() == {"status", "message", "code", "data"}
        assert (envelope["status"], envelope["data"]) == ("error", None)
        own = {kind.code for kind in errors.JobyardError.__subclasses__()}
        assert envelope["code"] in own | {"too_many_requests", "timeout"}
    assert rest["GatewayResponses"].keys() >= {
        "ACCESS_DENIED",
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "MISSING_AUTHENTICATION_TOKEN",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
        "UNAUTHORIZED",
    }


def test_access_logs_hold_no_header_and_no_query(template: dict[str, Any]) -> None:
    """So they contain no token and no searched text; each line is JSON."""
    rest = resources(template, "AWS::Serverless::Api")["RestAPI"]
    line = json.loads(rest["AccessLogSetting"]["Format"])
    assert set(line.values()) == {
        "$context.requestTime",
        "$context.requestId",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.path",
        "$context.resourcePath",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.integrationLatency",
        "$context.error.responseType",
    }


def test_every_function_has_a_name_a_runtime_a_timeout_and_a_memory_size(
    template: dict[str, Any],
) -> None:
    """All have the same runtime and archive, whatever Python packages them."""
    functions = resources(template, "AWS::Serverless::Function")
    names = {name: entry["FunctionName"]["Fn::Sub"] for name, entry in functions.items()}
    assert names == {name: f"jobyard-${{Stage}}-{end}" for name, end in FUNCTIONS.items()}
    for entry in functions.values():
        assert entry["Runtime"] == f"python{dependencies.LAMBDA.python}"
        assert entry["Architectures"] == ["arm64"]
        assert entry["CodeUri"] == "./deployment.zip"
        assert entry["Timeout"] <= 300
        assert 256 <= entry["MemorySize"] <= 1769


def test_the_api_answers_before_the_gateway_gives_up(template: dict[str, Any]) -> None:
    """API Gateway waits 29 s, and the code's own deadline is shorter still."""
    from chalicelib.http import api

    handler = resources(template, "AWS::Serverless::Function")["APIHandler"]
    assert api.MAX_SECONDS < handler["Timeout"] <= 29


def test_background_functions_time_out_after_their_turns_end(template: dict[str, Any]) -> None:
    """A turn that Lambda cuts off is an error; a turn that ends by itself continues next time."""
    from chalicelib.engine import audit, shard_sweep

    functions = resources(template, "AWS::Serverless::Function")
    slack = 10  # the last call's time-out and retries
    turns = {"Sweep": shard_sweep.TURN, "SweepPart": shard_sweep.TURN, "Audit": audit.TURN}
    turns |= dict.fromkeys(("TaskChanged", "Fire"), app.EVENT_SECONDS - 1)
    assert {name for name in turns if functions[name]["Timeout"] < turns[name] + slack} == set()


def test_failed_asynchronous_invocations_go_to_a_queue(template: dict[str, Any]) -> None:
    """Events that a function failed to handle, or EventBridge to deliver, wait in a queue."""
    functions = resources(template, "AWS::Serverless::Function")
    for name in ("TaskChanged", "Fire", "JobResource"):
        failed = functions[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert failed["Destination"] == {"Fn::GetAtt": ["FailedEvents", "Arn"]}
    events = [
        event["Properties"]
        for entry in functions.values()
        for event in entry.get("Events", {}).values()
    ]
    undelivered = {"Arn": {"Fn::GetAtt": ["UndeliveredEvents", "Arn"]}}
    assert [event["DeadLetterConfig"] for event in events] == [undelivered] * 3


def test_task_events_come_only_from_this_stages_cluster(template: dict[str, Any]) -> None:
    """Other tasks of the account do not invoke the function."""
    (event,) = resources(template, "AWS::Serverless::Function")["TaskChanged"]["Events"].values()
    pattern = event["Properties"]["Pattern"]
    assert pattern["detail"]["clusterArn"] == [{"Fn::GetAtt": ["Cluster", "Arn"]}]
    assert pattern["source"] == ["aws.ecs"]


def test_one_permission_lets_the_rules_of_all_jobs_fire(template: dict[str, Any]) -> None:
    """The permission covers this stage's jobs, and no stage whose name begins with this one's."""
    permission = resources(template, "AWS::Lambda::Permission")["RulesMayFire"]
    assert permission["FunctionName"] == {"Ref": "Fire"}
    assert permission["SourceArn"]["Fn::Sub"].endswith(":rule/jobyard-${Stage}-job_*")


def test_functions_have_every_variable_that_the_settings_read(template: dict[str, Any]) -> None:
    """Every variable that chalicelib/settings.py names is set, and no other."""
    source = (package.ROOT / "chalicelib" / "settings.py").read_text()
    told = template["Globals"]["Function"]["Environment"]["Variables"]
    assert {name for name in told if name.startswith("JOBYARD_")} == set(
        re.findall(r"JOBYARD_[A-Z_]+", source)
    )


def test_jobs_may_name_exactly_the_secrets_that_the_execution_role_may_read(
    template: dict[str, Any],
) -> None:
    """The API accepts the same secrets that the execution role may fetch."""
    told = template["Globals"]["Function"]["Environment"]["Variables"]
    named = told["JOBYARD_SECRET_PREFIXES"]["Fn::Sub"].split(",")
    role = resources(template, "AWS::IAM::Role")["ExecutionRole"]
    readable = [
        statement["Resource"]["Fn::Sub"]
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
        if statement["Sid"] in ("FetchSecrets", "FetchParameters")
    ]
    assert [prefix.replace("{workspace}/", "*") for prefix in named] == readable


def test_the_security_group_of_containers_has_no_inbound_rule(template: dict[str, Any]) -> None:
    group = resources(template, "AWS::EC2::SecurityGroup")["SecurityGroup"]
    assert "SecurityGroupIngress" not in group
    assert resources(template, "AWS::EC2::SecurityGroupIngress") == {}


def test_every_alarm_notifies_the_operators_topic_if_there_is_one(template: dict[str, Any]) -> None:
    """
    The six alarms: errors, denied calls, throttles, dead letters, the sweep's age, refused
    launches.
    """
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    tell = [{"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AWS::NoValue"}]}]
    assert len(alarms) == 6
    assert all(alarm["AlarmActions"] == tell for alarm in alarms.values())


def test_alarms_look_at_no_more_than_the_ten_free_metrics(template: dict[str, Any]) -> None:
    """AWS bills an alarm by the metrics that it reads."""
    alarms = resources(template, "AWS::CloudWatch::Alarm").values()
    looked_at = [
        sum("MetricStat" in metric for metric in alarm.get("Metrics", [{"MetricStat": None}]))
        for alarm in alarms
    ]
    assert sum(looked_at) <= 10


def test_metric_filters_match_lines_that_the_product_writes(template: dict[str, Any]) -> None:
    """
    A filter on a message that the product no longer logs would count nothing, without an error.
    """
    sources = "".join(path.read_text() for path in (package.ROOT / "chalicelib").rglob("*.py"))
    filters = resources(template, "AWS::Logs::MetricFilter")
    assert len(filters) == 7
    for metric in filters.values():
        for sentence in re.findall(r'\$\.message = "([^"]+)"', metric["FilterPattern"]):
            assert f'"{sentence}"' in sources
        for field in _fields(metric):
            assert re.search(rf"\b{field}=", sources) or field in ("level", "message"), field


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [("AccessDeniedLines", log.ACCESS_DENIED), ("StoreRefusedLines", log.STORE_REFUSED)],
)
def test_a_refused_call_is_counted_and_raises_an_alarm(
    template: dict[str, Any], lines: str, sentence: str
) -> None:
    """The filter matches the line that the product logs, and the alarm uses the filter's metric."""
    metric = resources(template, "AWS::Logs::MetricFilter")[lines]
    assert metric["FilterPattern"] == f'{{ $.message = "{sentence}" }}'
    (made,) = metric["MetricTransformations"]
    alarm = resources(template, "AWS::CloudWatch::Alarm")["RefusedAlarm"]
    assert alarm["Namespace"] == made["MetricNamespace"]
    assert alarm["MetricName"] == made["MetricName"]
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (0, 1)


def _fields(metric: dict[str, Any]) -> Iterator[str]:
    yield from re.findall(r"\$\.(\w+)", json.dumps(metric))


def test_the_dashboard_shows_metrics_that_exist(template: dict[str, Any]) -> None:
    """Each own metric on it is made by a filter, and its body is JSON."""
    (dashboard,) = resources(template, "AWS::CloudWatch::Dashboard").values()
    body = json.loads(dashboard["DashboardBody"]["Fn::Sub"])
    shown = {
        metric[1]
        for widget in body["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if metric[0] == "Jobyard/${Stage}"
    }
    made = {
        transformation["MetricName"]
        for metric in resources(template, "AWS::Logs::MetricFilter").values()
        for transformation in metric["MetricTransformations"]
    }
    assert shown == made
