#!/usr/bin/env bash
# For a deploy: registers the new version of a prompt under its name, and returns once it is warm. The version before it drains by
# itself: it is kept while real requests still read it.
#
#   bash examples/deploy-hook.sh body.json     the body of POST /warm, with a `name`; without a file, a sample
#
# Needs bash, curl and node, PILOTLIGHT_URL and PILOTLIGHT_KEY. Ends with something other than 0 when it did not become warm; whether
# that stops the deploy is yours to say.
set -euo pipefail

PILOTLIGHT_URL=${PILOTLIGHT_URL:-http://localhost:8787}
PILOTLIGHT_KEY=${PILOTLIGHT_KEY:-pilotlight-dev}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

api() { curl -sS --fail-with-body --max-time 90 -H "Authorization: Bearer $PILOTLIGHT_KEY" -H 'Content-Type: application/json' "$@"; echo; }
field() { node -p "JSON.parse(require('node:fs').readFileSync(0, 'utf8')).$1"; }

body=${1:-$work/body.json}
[ $# -gt 0 ] || node -p 'JSON.stringify({ name: "deploy-hook", provider: "anthropic", model: "claude-opus-4-8", keep_warm: { plan: { probes: 3 } },
  system: "Release " + require("node:crypto").randomUUID() + ". " + "You answer questions about the river handbook. ".repeat(200) })' > "$body"

# The same release run twice is answered from memory, and pays once.
key=$(node -p 'require("node:crypto").createHash("sha256").update(require("node:fs").readFileSync(process.argv[1])).digest("hex")' "$body")
api "$PILOTLIGHT_URL/warm" -H "Idempotency-Key: ${GITHUB_SHA:-deploy}-$key" -d "@$body" > "$work/warm.json"
id=$(field id < "$work/warm.json")

# A warm that takes longer than a minute goes on as a job.
for _ in $(seq 60); do
  job=$(field 'job?.id ?? ""' < "$work/warm.json")
  [ -n "$job" ] || break
  case $(api "$PILOTLIGHT_URL/jobs/$job" | field status) in succeeded | failed) break ;; esac
  sleep 2
done

state=$(api "$PILOTLIGHT_URL/prefixes/$id/warmth" | field state)
echo "$(field name < "$work/warm.json"), version $(field version < "$work/warm.json"): $state"
[ "$state" = warm ]
