"""The AWS of the local stack: moto with the fidelity over it, on a loopback port."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from infra.local import LOOPBACK, fidelity
from infra.local.gateway import STOP_CHECK


class AwsServer:
    """Serves AWS's APIs from this process; its state is gone when it stops."""

    def __init__(self) -> None:
        # werkzeug would write a line per request.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.fidelity = fidelity.install()
        self._server: BaseWSGIServer = make_server(
            LOOPBACK,
            0,
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=MotoRequestHandler,
        )
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_CHECK,), name="aws", daemon=True
        )
        self._thread.start()
        self.client = lru_cache(self._client)

    def _client(self, service: str) -> Any:
        # A client's making is not thread-safe in boto3's default session; its use is.
        session = boto3.session.Session()
        config = Config(max_pool_connections=64, retries={"total_max_attempts": 3})
        return session.client(service, endpoint_url=self.url, config=config)  # type: ignore[call-overload]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.fidelity.uninstall()
