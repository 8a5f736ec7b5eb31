"""Runs the client against the deployment in PILOTLIGHT_URL, with objects of the shapes that LiteLLM and LangChain document."""

import os
from datetime import datetime, timezone
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

litellm.log_success_event(None, None, None, None)
langchain.on_llm_end(None, run_id="b")
assert reporter.dropped == 2
lost = Reporter(Pilotlight("http://127.0.0.1:9", KEY), limit=1)
for _ in range(500):
    lost.report({"prefix_id": prefix})
assert lost.flush(20) and lost.dropped == 500 and lost.sent == 0
try:
    Pilotlight(URL, "wrong-key").warm({})
    raise SystemExit("a wrong key was taken")
except PilotlightError as refused:
    assert refused.kind == "unauthenticated" and "wrong-key" not in str(refused), refused
assert KEY not in repr(client)
print("ok")
