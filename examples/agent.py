"""A caller in Python, with the standard library alone: warms its prompt, asks the provider in a loop with a tool, and reports what
each request used. Runs against `npm start`, where the lab stands for Anthropic.

    python3 examples/agent.py

Ends with something other than 0 when a call fails or a request was not read from the cache. Python 3.9 or newer.
"""

import json
import os
import urllib.error
import urllib.request
import uuid

PILOTLIGHT = os.environ.get("PILOTLIGHT_URL", "http://localhost:8787")
KEY = os.environ.get("PILOTLIGHT_KEY", "pilotlight-dev")
LAB = "ANTHROPIC_BASE_URL" not in os.environ
PROVIDER = os.environ.get("ANTHROPIC_BASE_URL", os.environ.get("LAB_URL", "http://localhost:8788") + "/anthropic")
PROVIDER_KEY = os.environ.get("ANTHROPIC_API_KEY", "lab")


def call(url, headers, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{request.get_method()} {url} answered {error.code}: {error.read().decode()}") from None


def pilotlight(path, body=None, method=None):
    return call(PILOTLIGHT + path, {"authorization": f"Bearer {KEY}"}, body, method)


def look_up(page):
    return {12: "The ford lies below the mill."}.get(page, "There is no such page.")


# The common beginning of all requests. It is the same object each time, so that it becomes the same text each time.
SHARED = {
    "model": "claude-opus-4-8",
    "max_tokens": 256,
    "tools": [
        {
            "name": "look_up",
            "description": "Reads a page of the river handbook.",
            "input_schema": {"type": "object", "properties": {"page": {"type": "integer"}}, "required": ["page"]},
        }
    ],
    "system": [
        {
            "type": "text",
            "text": f"Edition {uuid.uuid4()}." + " You answer questions about the river handbook." * 200,
            "cache_control": {"type": "ephemeral"},
        }
    ],
}


def turn(messages, question, prefix, observations):
    """Asks, runs the tools that the model calls, and asks again until it has an answer."""
    messages.append({"role": "user", "content": question})
    for _ in range(8):
        # With the lab, time may run faster than yours. With Anthropic itself this is simply your own clock.
        started = pilotlight("/health")["now"]
        headers = {"x-api-key": PROVIDER_KEY, "anthropic-version": "2023-06-01"}
        answer = call(f"{PROVIDER}/v1/messages", headers, {**SHARED, "messages": messages})
        observations.append({"prefix_id": prefix, "usage": answer["usage"], "started_at": started})
        messages.append({"role": "assistant", "content": answer["content"]})
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        if not calls:
            return "".join(block["text"] for block in answer["content"])
        results = []
        for block in calls:
            found = look_up(**block["input"])
            print(f"  {block['name']}({block['input']}): {found}")
            results.append({"type": "tool_result", "tool_use_id": block["id"], "content": found})
        messages.append({"role": "user", "content": results})
    raise SystemExit("the model went on calling tools")


def main():
    warm = {"name": "example-agent-python", "provider": "anthropic", "request": {**SHARED, "messages": []}}
    warmed = pilotlight("/warm", warm)
    print(f"warm for ${warmed['receipt']['cost_usd']}: {warmed['receipt']['why']}")

    messages, observations = [], []
    # The second line is an instruction for the lab's model. A real one decides for itself.
    script = '\nlab: call look_up {"page":12}' if LAB else ""
    for question in ("Where is the ford?" + script, "Thank you."):
        print(question.split("\n")[0])
        print(" ", turn(messages, question, warmed["id"], observations))

    pilotlight("/observations", observations)
    prefix = pilotlight(f"/prefixes/{warmed['id']}")
    print(f"{prefix['hits']} requests read the prefix from the cache, {prefix['misses']} did not")
    pilotlight(f"/prefixes/{warmed['id']}", method="DELETE")
    if (prefix["hits"], prefix["misses"]) != (len(observations), 0):
        raise SystemExit("not every request was read from the cache")


main()
