"""Runs the client against the deployment in PILOTLIGHT_URL, with objects of the shapes that LiteLLM and LangChain document."""

import json
import os
import subprocess
import sys
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace as Made

from pilotlight import Pilotlight, PilotlightError, Reporter, langchain_handler, litellm_callback

URL, KEY = os.environ["PILOTLIGHT_URL"], "pilotlight-dev"
client = Pilotlight(URL, KEY)
text = " ".join(f"Rule {n}: the ferry crosses the river at {n} minutes past." for n in range(1200))
request = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 50,
    "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "When?"}],
}
prefix = client.warm({"name": "python", "provider": "anthropic", "request": request, "keep_warm": {"plan": "off"}})["id"]
usage = {"input_tokens": 9, "cache_read_input_tokens": 15000, "cache_creation_input_tokens": 0, "output_tokens": 4}
now = datetime.now(timezone.utc)
seen = client.observe([{"prefix_id": prefix, "usage": usage, "started_at": now.isoformat()}])
assert seen[0]["matched"] is True, seen
assert client.lease(prefix)["role"] in ("ready", "leader")
assert client.signals(prefix, "end")["id"] == prefix

reporter = Reporter(client)
litellm = litellm_callback(reporter, prefix)
counts = {"prompt_tokens": 15009, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 15000}}
litellm.log_success_event({"litellm_params": {"metadata": {}}}, {"usage": counts}, now, now)
langchain = langchain_handler(reporter, prefix)
langchain.on_chat_model_start({}, [[]], run_id="a")
parts = {"input_tokens": 15009, "output_tokens": 4, "total_tokens": 15013, "input_token_details": {"cache_read": 15000}}
message = Made(usage_metadata=parts)
langchain.on_llm_end(Made(generations=[[Made(message=message)]]), run_id="a")
assert reporter.flush(20), "not all was sent"
assert (reporter.sent, reporter.dropped) == (2, 0), (reporter.sent, reporter.dropped)

assert client.observe([{"prefix_id": prefix, "usage": usage, "started_at": now.isoformat()}])[0]["matched"] is True

litellm.log_success_event({"cache_hit": True, "litellm_params": {"metadata": {}}}, {"usage": counts}, now, now)
litellm_callback(reporter).log_success_event({"litellm_params": {"metadata": {}}}, {"usage": counts}, now, now)
assert reporter.flush(20) and (reporter.sent, reporter.dropped) == (2, 0), "an own answer or a nameless call was sent"
litellm.log_success_event(None, None, None, None)
langchain.on_llm_end(None, run_id="b")
reporter.report({"usage": {1, 2}})
assert reporter.dropped == 3 and reporter.last_error == "TypeError", (reporter.dropped, reporter.last_error)
reporter.report({"prefix_id": prefix, "usage": {"input_tokens": -1}, "started_at": now.isoformat()})
assert reporter.flush(20) and reporter.dropped == 4 and "input_tokens" in str(reporter.last_error), reporter.last_error
lost = Reporter(Pilotlight("http://127.0.0.1:9", KEY), limit=1)
for _ in range(500):
    lost.report({"prefix_id": prefix})
assert lost.flush(20) and lost.dropped == 500 and lost.sent == 0
assert lost.last_error is not None

# A server that refuses first, as a deployment under load does, and one that holds its callers.
seen_keys, answers, held = [], [], threading.Event()


class Busy(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        seen_keys.append((self.headers["authorization"], self.headers["idempotency-key"]))
        if self.path.startswith("/held"):
            held.wait(20)
        status, body = answers.pop(0) if answers else (200, {"data": [], "id": "pfx"})
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"retry-after": "0", "location": "/elsewhere", "content-length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
BUSY = f"http://127.0.0.1:{server.server_port}"


def refusal(kind, retryable):
    return {"error": {"kind": kind, "message": "no", "retryable": retryable}}


def refused_by(status, kind, retryable, times, call):
    """How many requests a call sends that is refused so often, and its error."""
    seen_keys.clear()
    answers[:] = [(status, refusal(kind, retryable))] * times
    try:
        call()
        return len(seen_keys), None
    except PilotlightError as error:
        return len(seen_keys), error
    finally:
        answers.clear()


def warm():
    return Pilotlight(BUSY, KEY).warm({})


assert refused_by(429, "rate_limited", True, 2, warm) == (3, None)
assert len({key for _, key in seen_keys}) == 1 and seen_keys[0][1], "a retry has the key of the call"
sent, error = refused_by(503, "provider_unavailable", True, 9, warm)
assert sent == 3 and error.status == 503 and error.retryable
sent, error = refused_by(503, "not_configured", False, 1, warm)
assert sent == 1 and error.kind == "not_configured" and not error.retryable
sent, error = refused_by(400, "invalid_request", False, 1, warm)
assert sent == 1 and error.status == 400
sent, error = refused_by(302, "moved", False, 1, warm)
assert sent == 1 and error is not None, "a redirect was followed"
Pilotlight(BUSY, KEY).warm({}, idempotency_key="mine")
assert seen_keys[-1][1] == "mine"

full = Reporter(Pilotlight(BUSY + "/held", KEY), limit=3, flush_seconds=0)
for _ in range(200):
    full.report({})
assert full.dropped >= 96 and full.last_error == "the queue is full" and not full.flush(0.05)
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        fresh = full.flush(0) and full.dropped == 0
        full.report({})
        alive = full._thread is not None and full._thread.is_alive()
        os._exit(0 if fresh and alive else 1)
    assert os.waitpid(child, 0)[1] == 0, "a child begins with nothing, and with a thread of its own"
held.set()
assert full.flush(20) and full.sent + full.dropped == 200

# What waits at the end of a program is sent.
ending = f"""
from pilotlight import Pilotlight, Reporter
Reporter(Pilotlight({BUSY!r}, 'last')).report({{}})
"""
seen_keys.clear()
subprocess.run([sys.executable, "-B", "-c", ending], check=True, cwd=os.path.dirname(os.path.abspath(__file__)))
assert [key for key, _ in seen_keys] == ["Bearer last"], seen_keys

try:
    Pilotlight(URL, "wrong-key").warm({})
    raise SystemExit("a wrong key was taken")
except PilotlightError as refused:
    assert refused.kind == "unauthenticated" and "wrong-key" not in str(refused), refused
assert KEY not in repr(client)
print("ok")
