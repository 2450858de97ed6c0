"""Stopped tasks whose container never started, and the verdict for each."""

from __future__ import annotations

from tests.task_payloads import (
    Case,
    payload,
    refused_start,
)

NOT_STARTED_CASES = [
    # Guide, "CannotPullContainer task errors"
    Case(
        "no such image",
        refused_start(
            "CannotPullContainerError: The task cannot pull "
            "registry.example/app:v9 from the registry "
            "registry.example. There is a connection issue or the reference was not found."
        ),
        "image_pull_failed",
        says="registry.example/app:v9",
    ),
    Case(
        "manifest unknown",
        refused_start(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
            "resolve ref docker.io/library/busybox:nope: not found"
        ),
        "image_pull_failed",
    ),
    Case(
        "wrong architecture",
        refused_start(
            "CannotPullContainerError: pull image manifest has been retried 5 "
            "time(s): image Manifest "
            "does not contain descriptor matching platform 'linux/arm64'"
        ),
        "image_pull_failed",
    ),
    Case(
        "manifest error",
        refused_start("CannotPullImageManifestError: Error response: denied"),
        "image_pull_failed",
    ),
    Case(
        "pull, the reason at the container",
        payload(
            "TaskFailedToStart",
            "Task failed to start",
            started=False,
            reason="CannotPullContainerError: pull access denied",
        ),
        "image_pull_failed",
        says="pull access denied",
    ),
    # An older platform version ends such a task like one whose container exited.
    Case(
        "pull, as an exit",
        payload(started=False, reason="CannotPullContainerError: not found"),
        "image_pull_failed",
        says="not found",
    ),
    # From the list in Dagster's launcher: these failures may pass.
    Case(
        "pull, i/o timeout",
        refused_start(
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: "
            "read tcp 10.0.0.7:4711->1.2.3.4:443: i/o timeout"
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    Case(
        "pull, EOF",
        refused_start(
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to unpack: EOF"
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    Case(
        "pull, invalid argument",
        refused_start(
            "CannotPullContainerError: ref pull has been retried 1 time(s): mount "
            "callback failed on "
            "/tmp/x: invalid argument"
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    # AWS knowledge center, "You have reached your pull rate limit"
    Case(
        "pull rate limit",
        refused_start(
            "CannotPullContainerError: inspect image has been retried 5 time(s): httpReaderSeeker: "
            "failed open: unexpected status code Too Many Requests - Server "
            "message: toomanyrequests: "
            "You have reached your pull rate limit."
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    Case(
        "an image whose name has eof in it",
        refused_start("CannotPullContainerError: The task cannot pull example/geoff:1: not found"),
        "image_pull_failed",
        may_pass=False,
    ),
    Case(
        "network timeout",
        refused_start("Timeout waiting for network interface provisioning to complete."),
        "start_failed",
        may_pass=True,
    ),
    Case(
        "storage timeout",
        refused_start("Timeout waiting for EphemeralStorage provisioning to complete."),
        "start_failed",
        may_pass=True,
    ),
    Case(
        "network interface, AuthFailure",
        refused_start(
            "Unexpected EC2 error while attempting to Create Network Interface with public IP "
            "assignment enabled in subnet 'subnet-1': AuthFailure"
        ),
        "start_failed",
        may_pass=True,
    ),
    Case(
        "network interface, no address left",
        refused_start(
            "Unexpected EC2 error while attempting to Create Network Interface in "
            "subnet 'subnet-1': "
            "InsufficientFreeAddressesInSubnet"
        ),
        "start_failed",
    ),
    Case(
        "capacity",
        refused_start(
            "Capacity is unavailable at this time. Please try again later or in a different "
            "availability zone"
        ),
        "capacity_unavailable",
        may_pass=True,
    ),
    Case(
        "rate",
        refused_start(
            "ResourceInitializationError: unable to pull secrets: "
            "ThrottlingException: Rate exceeded"
        ),
        "start_failed",
        may_pass=True,
    ),
    # pulumi/pulumi-awsx#927: this happens shortly after the role was created.
    Case(
        "role",
        refused_start(
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/a' that "
            "was provided for this task. Please verify that the role being passed has the proper "
            "trust relationship and permissions and that your IAM user has permissions to pass "
            "this role."
        ),
        "start_failed",
        may_pass=True,
        says="'arn:aws:iam::<account>:role/a'",
    ),
    # Guide, "ResourceInitializationError", "CannotStartContainerError" and similar ones.
    Case(
        "secret",
        refused_start(
            "ResourceInitializationError: unable to pull secrets or registry auth: "
            "execution resource "
            "retrieval failed: unable to retrieve secret from asm: AccessDeniedException"
        ),
        "start_failed",
        says="AccessDeniedException",
    ),
    Case(
        "log group",
        refused_start(
            "ResourceInitializationError: failed to validate logger args: create stream has been "
            "retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException"
        ),
        "start_failed",
    ),
    Case(
        "no such command",
        payload(
            started=False,
            reason="CannotStartContainerError: Error response from daemon: OCI runtime "
            'create failed: exec: "nope": executable file not found in $PATH: unknown',
        ),
        "start_failed",
        says="executable file not found",
    ),
    Case(
        "no such command, with its exit code",
        payload(
            "TaskFailedToStart",
            "Task failed to start",
            exit_code=127,
            started=False,
            reason='CannotStartContainerError: exec: "nope": executable file not found in $PATH',
        ),
        "start_failed",
        127,
    ),
    # aws/amazon-ecs-agent#3021
    Case(
        "out of memory at birth",
        refused_start(
            "Task failed to start",
            reason="CannotStartContainerError: OCI runtime create failed: container init was "
            "OOM-killed (memory limit too low?): unknown",
        ),
        "out_of_memory",
    ),
    Case(
        "runtime timeout",
        refused_start(
            "ContainerRuntimeTimeoutError: Could not transition to running; timed "
            "out after waiting "
            "1m: context deadline exceeded"
        ),
        "start_failed",
    ),
    Case(
        "internal error",
        refused_start("InternalError: unable to create task storage"),
        "start_failed",
    ),
    Case("failed to start, no reason at all", refused_start(""), "start_failed"),
]
