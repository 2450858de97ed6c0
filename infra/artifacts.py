"""
The account's artifact bucket: archives and templates on their way to CloudFormation.

The bucket's name can be guessed, and anybody may have made a bucket of that name first, to hand
CloudFormation archives of their own. So every call to S3 names the account that must own it; S3
answers 403 otherwise ("Verifying bucket ownership with bucket owner condition", Amazon S3 User
Guide). CreateBucket takes no owner, and the AWS CLI's uploads name none: `prepare` comes right
before them.

An archive that no stack uses any more is removed by a lifecycle rule. The rule goes by a tag and
not by age alone, since a stage may stay on one archive for years, and CloudFormation needs it to
roll back to. The tag is set when another archive was deployed, and taken off before one is
deployed again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.account import Account, Refused

SUPERSEDED = {"Key": "jobyard:superseded", "Value": "true"}
KEPT_DAYS = 30
"""How long after its upload a superseded archive is kept at least."""
LIFECYCLE: Any = {
    "Rules": [
        {
            "ID": "remove-superseded-archives",
            "Status": "Enabled",
            "Filter": {"Tag": SUPERSEDED},
            "Expiration": {"Days": KEPT_DAYS},
        },
        {
            "ID": "remove-what-is-left-over",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            # of a bucket that somebody has turned versioning on for; the current version stays
            "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_DAYS},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
}


def prefix(stage: str) -> str:
    """Under which the archives and templates of a stage lie."""
    return f"jobyard/{stage}"


def prepare(where: Account) -> None:
    """
    Make the bucket if it is not there, closed and with its lifecycle; safe to repeat.

    Raises Refused if the name is another account's.
    """
    s3 = boto3.client("s3")
    owned = {"Bucket": where.bucket, "ExpectedBucketOwner": where.id}
    if not _is_there(where):
        print(f"making the artifact bucket {where.bucket}")
        place: Any = {"LocationConstraint": where.region}
        options = {} if where.region == "us-east-1" else {"CreateBucketConfiguration": place}
        s3.create_bucket(Bucket=where.bucket, **options)
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(**owned, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
    s3.put_bucket_lifecycle_configuration(**owned, LifecycleConfiguration=LIFECYCLE)


def _is_there(where: Account) -> bool:
    try:
        boto3.client("s3").head_bucket(Bucket=where.bucket, ExpectedBucketOwner=where.id)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("404", "NoSuchBucket"):
            return False
        if code in ("403", "AccessDenied"):
            raise Refused(
                f"the bucket {where.bucket} is another account's, or these credentials may not "
                "read it; nothing was put there"
            ) from error
        raise
    return True


def archives(packaged: Path, where: Account) -> set[str]:
    """Keys of the archives that a template names, as `aws cloudformation package` wrote it."""
    start = f"s3://{where.bucket}/"
    resources = json.loads(packaged.read_text())["Resources"].values()
    named = {str(one["Properties"].get("CodeUri", "")) for one in resources if "Properties" in one}
    return {uri.removeprefix(start) for uri in named if uri.startswith(start)}


def keep(where: Account, keys: set[str]) -> None:
    """Take the tag off what is about to be deployed: it may have been superseded before."""
    s3 = boto3.client("s3")
    for key in sorted(keys):
        s3.delete_object_tagging(Bucket=where.bucket, Key=key, ExpectedBucketOwner=where.id)


def supersede(where: Account, stage: str, *, but: set[str]) -> int:
    """Tag what lies there for the stage, `but` what it runs on; how many. None without a bucket."""
    if not _is_there(where):
        return 0
    s3 = boto3.client("s3")
    owned: Any = {"Bucket": where.bucket, "ExpectedBucketOwner": where.id}
    pages = s3.get_paginator("list_objects_v2").paginate(**owned, Prefix=f"{prefix(stage)}/")
    old = [
        one["Key"] for page in pages for one in page.get("Contents", ()) if one["Key"] not in but
    ]
    for key in old:
        s3.put_object_tagging(**owned, Key=key, Tagging={"TagSet": [SUPERSEDED]})
    return len(old)
