#!/usr/bin/env bash
# Runs the hook of settings.json as an agent runs it, against `npm start`.
#
#   bash examples/session-end-hook/try.sh
#
# Needs bash, curl and node. Ends with another code than 0 when something is wrong.
set -euo pipefail

export PILOTLIGHT_URL=${PILOTLIGHT_URL:-http://localhost:8787} PILOTLIGHT_KEY=${PILOTLIGHT_KEY:-pilotlight-dev}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/.claude"
cp "$here/session-end.sh" "$work/.claude/"

api() { curl -sS --fail-with-body -H "Authorization: Bearer $PILOTLIGHT_KEY" -H 'Content-Type: application/json' "$@"; }
field() { node -p "JSON.parse(require('node:fs').readFileSync(0, 'utf8'))$1"; }

export PILOTLIGHT_NAME="session-$(node -p 'crypto.randomUUID().slice(0, 8)')"
id=$(node -p 'JSON.stringify({ name: process.env.PILOTLIGHT_NAME, provider: "anthropic", request: { model: "claude-opus-4-8", max_tokens: 256, messages: [],
  system: [{ type: "text", text: process.env.PILOTLIGHT_NAME + " You answer questions about the river handbook.".repeat(200) }] } })' |
  api "$PILOTLIGHT_URL/warm" -d @- | field .id)
stopped() { api "$PILOTLIGHT_URL/prefixes/$id" | field '.plan.stopped?.reason'; }
[ "$(stopped)" = undefined ]

hook=$(field .hooks.SessionEnd[0].hooks[0].command < "$here/settings.json")
ends() { printf '{"session_id":"s","hook_event_name":"SessionEnd","reason":"%s"}' "$1" | CLAUDE_PROJECT_DIR="$work" bash -c "$hook"; }

# A cleared conversation goes on, and an unknown name or an address without an answer breaks no exit.
ends clear
PILOTLIGHT_NAME=nobody ends exit
PILOTLIGHT_URL=http://127.0.0.1:9 ends exit
[ "$(stopped)" = undefined ]

ends prompt_input_exit
[ "$(stopped)" = session_over ]
echo "after the end: $(api "$PILOTLIGHT_URL/prefixes/$id" | field .plan.why)"
api -X DELETE "$PILOTLIGHT_URL/prefixes/$id" > "$work/deleted.json"
