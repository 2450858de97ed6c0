"""What the API answers by itself, through API Gateway."""

from __future__ import annotations

from datetime import UTC, datetime

from infra.verify.trial import Step, Trial, expect

CHALLENGES = ("WWW-Authenticate", "x-amzn-Remapped-WWW-Authenticate")


def health(trial: Trial) -> str:
    answer = trial.answer("GET", "/health", token="none")
    expect(answer.status == 200, f"GET /health is answered with {answer.status}: {answer.body}")
    return "answers without a token"


def openapi(trial: Trial) -> str:
    answer = trial.answer("GET", "/openapi.json", token="none")
    expect(answer.status == 200, f"GET /openapi.json is answered with {answer.status}")
    version, paths = str(answer.body.get("openapi")), answer.body.get("paths", {})
    expect(version.startswith("3.1"), f"the document is OpenAPI {version}")
    expect(any(path.endswith("/jobs") for path in paths), "the document does not describe /jobs")
    return f"OpenAPI {version}, {len(paths)} paths"


def unknown(trial: Trial) -> str:
    """The catch-alls of the template lead to the product's own answers."""
    for method, path, status, code in (
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("PUT", "/health", 405, "method_not_allowed"),
        ("DELETE", "jobs", 405, "method_not_allowed"),
    ):
        answer = trial.answer(method, path)
        said = answer.body.get("code") if isinstance(answer.body, dict) else answer.body
        got = f"{method} {path} is answered with {answer.status} {said}"
        expect((answer.status, said) == (status, code), f"{got}, not {status} {code}")
    return "404 and 405 in the product's envelope"


def token(trial: Trial) -> str:
    """A text that is no token is refused."""
    answer = trial.answer("GET", "jobs", token="jyd_nonsense")
    expect(answer.status == 401, f"a token that is none is answered with {answer.status}")
    found = [name for name in CHALLENGES if name in answer.headers]
    trial.find(f"A 401 arrives with the header {' and '.join(found) or 'of neither name'}.")
    return "401 without a valid token"


def zone(trial: Trial) -> str:
    """Time zones are known in Lambda: they come from the tzdata in the archive."""
    with trial.job("zone", schedule="30 3 1 7 *", timezone="America/New_York") as job_id:
        found = trial.api.ask("GET", f"jobs/{job_id}")["next_run_at"]
    now = datetime.now(UTC)
    slot = datetime(now.year, 7, 1, 7, 30, tzinfo=UTC)
    year = now.year if slot > now else now.year + 1
    expect(found == f"{year}-07-01T07:30:00.000Z", f"the next run is said to be at {found}")
    return "03:30 in New York is 07:30 UTC in July"


STEPS = (
    Step("health", "an answer without a token", health),
    Step("openapi", "the description of the API", openapi),
    Step("404-405", "the product's own answer to unknown paths and methods", unknown),
    Step("401", "a refusal of what is no token", token),
    Step("time zone", "the next run of a job with a time zone of its own", zone),
)
