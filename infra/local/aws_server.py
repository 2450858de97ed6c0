"""The AWS of the local stack: moto with the fidelity over it, on a loopback port."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from werkzeug.serving import BaseWSGIServer, make_server

from infra.local import LOOPBACK, botocore_data, fidelity
from infra.local.gateway import STOP_CHECK
from infra.local.in_process import InProcess


class AwsServer:
    """
    AWS's APIs: at `url` for other processes, and without a socket for this one.

    Its state is gone when it stops.
    """

    def __init__(self) -> None:
        botocore_data.share()
        # werkzeug would write a line per request.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.fidelity = fidelity.install()
        self._server: BaseWSGIServer = make_server(LOOPBACK, 0, _answer, threaded=True)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_CHECK,), name="aws", daemon=True
        )
        self._thread.start()
        self._in_process = InProcess(self.url)
        self._in_process.install()
        self.client = lru_cache(self._client)

    def _client(self, service: str) -> Any:
        # A client's making is not thread-safe in boto3's default session; its use is.
        session = boto3.session.Session()
        config = Config(max_pool_connections=64, retries={"total_max_attempts": 3})
        return session.client(service, endpoint_url=self.url, config=config)  # type: ignore[call-overload]

    def close(self) -> None:
        self._in_process.uninstall()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.fidelity.uninstall()


def _answer(environ: dict[str, Any], start_response: Any) -> Any:
    return _application()(environ, start_response)


@lru_cache(maxsize=1)
def _application() -> Any:
    """moto's server, imported with Flask when another process sends the first request."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)
