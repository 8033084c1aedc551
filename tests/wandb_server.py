"""As much of a W&B server as its command line needs for a sweep: it hands out a grid, a point a heartbeat."""

import itertools
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

SWEEP = "swp12345"


class Server(ThreadingHTTPServer):
    """Listens at `url` on this machine; `unknown` lists what it was asked and could not answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.unknown: list[str] = []
        self.waiting: list[dict[str, Any]] | None = None  # points of the grid
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data that an operation asks for."""
        project = {"id": "p", "name": "anx", "entity": {"id": "e", "name": "somebody"}}
        if operation == "Viewer":
            return {"viewer": {"id": "v", "entity": "somebody", "username": "somebody", "flags": "{}", "teams": None}}
        if operation == "UpsertSweep":
            config = yaml.safe_load(variables["config"])
            keys, parameters = list(config["parameters"]), config["parameters"].values()
            points = itertools.product(*(p.get("values", [p.get("value")]) for p in parameters))
            self.waiting = [dict(zip(keys, point, strict=True)) for point in points]
            self.config = config
            sweep = {"id": "s", "name": SWEEP, "project": project}
            return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": []}}
        if operation == "SweepWithRuns":
            sweep = {"id": "s", "name": SWEEP, "state": "RUNNING", "config": yaml.safe_dump(self.config)}
            return {"project": {"sweep": {**sweep, "method": "grid", "runs": {"edges": []}}}}
        if operation == "GetSweepState":
            return {"project": {"sweep": {"state": "RUNNING"}}}
        if operation == "CreateAgent":
            return {"createAgent": {"agent": {"id": "a"}}}
        if operation == "Heartbeat":
            running = json.loads(variables["runState"])  # those that the agent has started and not seen end
            return {"agentHeartbeat": {"agent": {"id": "a"}, "commands": json.dumps(self.commands(running))}}
        self.unknown.append(operation)
        return {}

    def commands(self, running: dict[str, Any]) -> list[dict[str, Any]]:
        """The next run once the last one has ended, and at last the end."""
        if running:
            return []
        if not self.waiting:
            return [{"type": "exit"}]
        point = self.waiting.pop(0)
        run = "run" + "".join(re.sub(r"\W", "", f"{key}{value}") for key, value in point.items())
        arguments = {key: {"value": value} for key, value in point.items()}
        return [{"type": "run", "run_id": run, "program": self.config.get("program"), "args": arguments}]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/graphql":  # the client's own telemetry
            self.send_error(404)
            return
        asked = json.loads(body)
        operation = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
        name = operation.group(1) if operation else asked["query"]
        body = json.dumps({"data": self.server.answer(name, asked.get("variables") or {})}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""
