#!/usr/bin/env bash
# Two releases of an application and a rollback, each with the very command of workflow.yml, against `npm start`.
#
#   bash examples/deploy-hook/try.sh
#
# Needs bash, curl and node. Ends with another code than 0 when a version is wrong.
set -euo pipefail

export PILOTLIGHT_URL=${PILOTLIGHT_URL:-http://localhost:8787} PILOTLIGHT_KEY=${PILOTLIGHT_KEY:-pilotlight-dev}
LAB_URL=${LAB_URL:-http://localhost:8788}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/scripts" "$work/prompts"
cp "$here/warm-release.sh" "$work/scripts/"

api() { curl -sS --fail-with-body -H "Authorization: Bearer $PILOTLIGHT_KEY" -H 'Content-Type: application/json' "$@"; }
field() { node -p "JSON.parse(require('node:fs').readFileSync(0, 'utf8')).$1"; }
edition() {
  node -p 'JSON.stringify({ model: "claude-opus-4-8", max_tokens: 256, messages: [], system: [{ type: "text", cache_control: { type: "ephemeral" },
    text: process.argv[1] + "." + " You answer questions about the river handbook.".repeat(200) }] })' "$1" > "$work/prompts/support-agent.json"
}

# The step of the workflow, as GitHub runs it. The name is unique to this run.
name="support-agent-$(node -p 'crypto.randomUUID().slice(0, 8)')"
step=$(sed -n 's/^ *run: //p' "$here/workflow.yml")
release() { (cd "$work" && RELEASE="$1" bash -euo pipefail -c "${step/ support-agent / $name }"); }
# Prints the state of a version: `version 2 superseded`.
version() { api "$PILOTLIGHT_URL/prefixes?name=$name" | field "data.find((one) => one.version === $1)?.$2"; }

# Sends and reports a real request of the application with the stored prompt; prints the tokens that it read from the cache.
ask() {
  local id=$1 started usage
  started=$(curl -sS --fail-with-body "$PILOTLIGHT_URL/health" | field now)
  node -p 'const body = JSON.parse(fs.readFileSync(process.argv[1])); body.messages = [{ role: "user", content: "Where is the ford?" }]
    JSON.stringify(body)' "$work/prompts/support-agent.json" > "$work/real.json"
  usage=$(curl -sS --fail-with-body "$LAB_URL/anthropic/v1/messages" -H 'x-api-key: lab' -H 'anthropic-version: 2023-06-01' \
    -H 'Content-Type: application/json' -d "@$work/real.json" | node -p 'JSON.stringify(JSON.parse(fs.readFileSync(0)).usage)')
  api "$PILOTLIGHT_URL/observations" -d "[{\"prefix_id\":\"$id\",\"usage\":$usage,\"started_at\":\"$started\"}]" > /dev/null
  field cache_read_input_tokens <<< "$usage"
}

one=$(node -p 'crypto.randomUUID()')
edition "Edition $one"
release one
first=$(version 1 id)
[ "$(ask "$first")" -gt 2000 ]

edition "Edition $(node -p 'crypto.randomUUID()')"
soon=$(curl -sS "$PILOTLIGHT_URL/health" | node -p 'new Date(Date.parse(JSON.parse(fs.readFileSync(0)).now) + 3_600_000).toISOString()')
ROLL_OUT_AT=$soon EXPECTED_REQUESTS=20 release two
[ "$(version 2 superseded)" = false ]
[ "$(version 2 'announcements[0].at')" = "$soon" ]
# The old version still has users, so it is kept warm.
[ "$(version 1 superseded)" = true ]
[ "$(version 1 newer_warm_at)" != null ]
[ "$(version 1 plan.stopped)" = null ]
echo "version 1: $(version 1 plan.why)"

# A rollback is a release of the body before.
edition "Edition $one"
[ "$(ask "$first")" -gt 2000 ]
release three
[ "$(version 3 id)" = "$first" ]
[ "$(version 2 superseded)" = true ]
echo "version 2: $(version 2 plan.why)"

# A refusal of the provider is a warning, or an error if the deploy asks for that. No version is lost.
echo '{"model":"claude-opus-4-8","max_tokens":256,"messages":[],"system":"short"}' > "$work/prompts/support-agent.json"
release four | grep -q '^::warning title=Not warmed::.*prefix_too_short'
if PILOTLIGHT_REQUIRED=1 release five > /dev/null; then
  echo 'a prompt that is too short did not fail the release' >&2
  exit 1
fi
[ "$(version 3 superseded)" = false ]

for id in "$first" "$(version 2 id)"; do api -X DELETE "$PILOTLIGHT_URL/prefixes/$id" > "$work/deleted.json"; done
