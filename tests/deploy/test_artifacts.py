"""The artifact bucket belongs to the account, and the archive of a deployed stage stays in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra import artifacts, deploy
from infra.account import Account, Refused
from tests.deploy.double import Refusal, install
from tests.deploy.world import World

WHERE = Account("123456789012", "eu-central-1", "arn:aws:iam::123456789012:user/me", "aws")
TAGS = [artifacts.SUPERSEDED]


def put(key: str) -> None:
    boto3.client("s3").put_object(Bucket=WHERE.bucket, Key=key, Body=b"archive")


def tags(key: str) -> Any:
    return boto3.client("s3").get_object_tagging(Bucket=WHERE.bucket, Key=key)["TagSet"]


def test_every_call_to_s3_names_the_account_that_must_own_the_bucket(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The account is named wherever S3 accepts it: everywhere except where the bucket is created.
    """
    session = boto3.session.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    calls: dict[str, str | None] = {}

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        if "ExpectedBucketOwner" in model.input_shape.members:
            calls[model.name] = params.get("ExpectedBucketOwner")

    artifacts.prepare(WHERE)
    put("jobyard/dev/old")
    put("jobyard/dev/new")
    session.events.register("before-parameter-build.s3", record)
    artifacts.prepare(WHERE)
    artifacts.keep(WHERE, {"jobyard/dev/new"})
    artifacts.supersede(WHERE, "dev", but={"jobyard/dev/new"})
    assert calls == {
        "HeadBucket": WHERE.id,
        "PutPublicAccessBlock": WHERE.id,
        "PutBucketLifecycleConfiguration": WHERE.id,
        "DeleteObjectTagging": WHERE.id,
        "ListObjectsV2": WHERE.id,
        "PutObjectTagging": WHERE.id,
    }


class ForeignBucket:
    """
    S3 with a bucket that another account made and opened to all: only ExpectedBucketOwner fails.
    """

    def head_bucket(self, Bucket: str, ExpectedBucketOwner: str | None = None) -> dict[str, Any]:
        if ExpectedBucketOwner is not None:
            raise Refusal("403", "Forbidden")
        return {}


def test_a_bucket_of_another_account_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before anything is uploaded."""
    install(monkeypatch, "s3", ForeignBucket())
    with pytest.raises(Refused, match="another account's"):
        artifacts.prepare(WHERE)


def test_the_bucket_is_created_once_and_blocks_public_access(world: World) -> None:
    """A second preparation changes nothing, and nobody else can read the bucket."""
    artifacts.prepare(WHERE)
    artifacts.prepare(WHERE)
    s3 = boto3.client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [WHERE.bucket]
    closed = s3.get_public_access_block(Bucket=WHERE.bucket)["PublicAccessBlockConfiguration"]
    assert all(closed.values())


def test_only_superseded_archives_expire(world: World) -> None:
    """Archives in use never expire, and of versioned objects the current version stays."""
    artifacts.prepare(WHERE)
    s3 = boto3.client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=WHERE.bucket)["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    (expiring,) = (rule for rule in rules if "Expiration" in rule)
    assert expiring["Filter"] == {"Tag": artifacts.SUPERSEDED}
    assert expiring["Expiration"] == {"Days": artifacts.KEPT_DAYS}
    (versions,) = (rule for rule in rules if "NoncurrentVersionExpiration" in rule)
    assert versions["Filter"] == {"Prefix": ""} and "Expiration" not in versions


def test_a_deployment_supersedes_the_stages_other_archives(world: World) -> None:
    """
    The stage's new archive stays, and so do those of a stage whose name begins with this one's.
    """
    artifacts.prepare(WHERE)
    for key in ("jobyard/dev/new", "jobyard/dev/old", "jobyard/dev-2/one"):
        put(key)
    assert artifacts.supersede(WHERE, "dev", but={"jobyard/dev/new"}) == 1
    assert tags("jobyard/dev/old") == TAGS
    assert tags("jobyard/dev/new") == tags("jobyard/dev-2/one") == []


def test_an_archive_that_is_deployed_again_is_kept(world: World) -> None:
    """After a rollback the older archive is in use again, and its mark as superseded is removed."""
    artifacts.prepare(WHERE)
    put("jobyard/dev/old")
    artifacts.supersede(WHERE, "dev", but=set())
    artifacts.keep(WHERE, {"jobyard/dev/old"})
    assert tags("jobyard/dev/old") == []


def test_a_stage_that_was_never_deployed_supersedes_nothing(world: World) -> None:
    """When a stage is destroyed there may be no bucket."""
    assert artifacts.supersede(WHERE, "dev", but=set()) == 0


def test_the_archive_of_a_packaged_template_is_found_and_kept(server: None, tmp_path: Path) -> None:
    """
    The AWS CLI uploads the archive and chooses its name; an earlier deployment may have uploaded
    it.
    """
    (tmp_path / "deployment.zip").write_bytes(b"archive")
    function = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "./deployment.zip"}}
    table = {"Type": "AWS::DynamoDB::Table"}
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"Resources": {"Fire": function, "Jobs": table}}))
    destination = ("--s3-bucket", WHERE.bucket, "--s3-prefix", artifacts.prefix("dev"))
    for _ in range(2):
        packaged = deploy.upload(template, WHERE, destination)
        (key,) = artifacts.archives(packaged, WHERE)
        assert key.startswith("jobyard/dev/")
        assert tags(key) == []
        artifacts.supersede(WHERE, "dev", but=set())
        assert tags(key) == TAGS
