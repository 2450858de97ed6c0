// Where a run is in the AWS console (pure). Its names are in docs/logs-and-metrics.md.

const TASK = /^arn:(aws[a-z-]*):ecs:([a-z0-9-]+):(\d+):task\/([^/]+)\/([0-9a-f]+)$/;
const DOMAINS = {
  aws: "console.aws.amazon.com",
  "aws-us-gov": "console.amazonaws-us-gov.com",
  "aws-cn": "console.amazonaws.cn",
};
const CLUSTER = "jobyard-";

/** `[{label, href}]` for the task of an attempt; empty where its ARN says nothing. */
export function awsLinks(taskArn, jobId) {
  const found = TASK.exec(taskArn ?? "");
  if (!found || !DOMAINS[found[1]]) return [];
  const [, partition, region, , cluster, task] = found;
  const base = `https://${region}.${DOMAINS[partition]}`;
  const stage = cluster.replace(CLUSTER, "");
  const group = twice(`/jobyard/${stage}/${jobId}`);
  const stream = twice(`run/main/${task}`);
  return [
    {
      label: "Task",
      href: `${base}/ecs/v2/clusters/${cluster}/tasks/${task}/configuration?region=${region}`,
    },
    {
      label: "Log stream",
      href: `${base}/cloudwatch/home?region=${region}` +
        `#logsV2:log-groups/log-group/${group}/log-events/${stream}`,
    },
    {
      label: "Task definition",
      href: `${base}/ecs/v2/task-definitions/jobyard-${stage}-${jobId}?region=${region}`,
    },
  ];
}

/** The CloudWatch console's own encoding: percent-encoded twice, with $ for the outer percent. */
function twice(text) {
  return encodeURIComponent(encodeURIComponent(text)).replaceAll("%", "$");
}
