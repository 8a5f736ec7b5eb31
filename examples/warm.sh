#!/usr/bin/env bash
# The same first use as warm.mjs, with curl. Runs against `npm start`, where the lab replaces the provider.
#
#   bash examples/warm.sh
#
# Needs bash, curl and node. Ends with something other than 0 when a call fails or the real request was not read from the cache.
set -euo pipefail

PILOTLIGHT_URL=${PILOTLIGHT_URL:-http://localhost:8787}
PILOTLIGHT_KEY=${PILOTLIGHT_KEY:-pilotlight-dev}
LAB_URL=${LAB_URL:-http://localhost:8788}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

api() { curl -sS --fail-with-body -H "Authorization: Bearer $PILOTLIGHT_KEY" -H 'Content-Type: application/json' "$@"; echo; }
field() { node -p "JSON.parse(require('node:fs').readFileSync(0, 'utf8')).$1"; }

# The part that is the same in every request. The edition makes it new each time.
node -p 'JSON.stringify({ model: "claude-opus-4-8", max_tokens: 256, messages: [], system: [{ type: "text", cache_control: { type: "ephemeral" },
  text: "Edition " + require("node:crypto").randomUUID() + "." + " You answer questions about the river handbook.".repeat(200) }] })' > "$work/body.json"

api "$PILOTLIGHT_URL/warm" -d "{\"name\":\"example-curl\",\"provider\":\"anthropic\",\"request\":$(cat "$work/body.json"),\"keep_warm\":{\"plan\":{\"probes\":3}}}" > "$work/warm.json"
id=$(field id < "$work/warm.json")
echo "registered $id: $(field receipt.kind < "$work/warm.json")"

api "$PILOTLIGHT_URL/prefixes/$id/warmth" | field 'state'

# With the lab, time may run faster than yours. With a real provider this is simply the time at which you send.
started=$(curl -sS --fail-with-body "$PILOTLIGHT_URL/health" | field now)
node -p 'const body = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"))
body.messages = [{ role: "user", content: "Where is the ford?" }]
JSON.stringify(body)' "$work/body.json" > "$work/real.json"
curl -sS --fail-with-body "$LAB_URL/anthropic/v1/messages" -H 'x-api-key: lab' -H 'anthropic-version: 2023-06-01' \
  -H 'Content-Type: application/json' -d "@$work/real.json" > "$work/answer.json"
read_tokens=$(field usage.cache_read_input_tokens < "$work/answer.json")
echo "the real request read $read_tokens tokens from the cache"
[ "$read_tokens" -gt 2000 ]

usage=$(node -p 'JSON.stringify(JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8")).usage)' "$work/answer.json")
api "$PILOTLIGHT_URL/observations" -d "[{\"prefix_id\":\"$id\",\"usage\":$usage,\"started_at\":\"$started\"}]" | field 'data[0].matched'

api "$PILOTLIGHT_URL/prefixes/$id/history" | field 'data.map(({ at, type, kind, decision, hits }) => [at, type, kind ?? decision ?? hits + " hit"].join("  ")).join("\n")'
api -X DELETE "$PILOTLIGHT_URL/prefixes/$id" > "$work/deleted.json"
