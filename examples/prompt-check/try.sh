#!/usr/bin/env bash
# A pull request that changes nothing, one that changes a prompt by accident and one that means it, each with the very command of
# workflow.yml, against `npm start`.
#
#   bash examples/prompt-check/try.sh
#
# Needs bash, curl and node. Ends with another code than 0 when an answer is wrong.
set -euo pipefail

export PILOTLIGHT_URL=${PILOTLIGHT_URL:-http://localhost:8787} PILOTLIGHT_KEY=${PILOTLIGHT_KEY:-pilotlight-dev}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/scripts" "$work/prompts"
cp "$here/check-prompt.mjs" "$work/scripts/"

api() { curl -sS --fail-with-body -H "Authorization: Bearer $PILOTLIGHT_KEY" -H 'Content-Type: application/json' "$@"; }
# The prompt of a release: a clock at the beginning of it, and white space that nothing compares.
prompt() {
  node -p 'JSON.stringify({ model: "claude-opus-4-8", max_tokens: 256, messages: [], system: [{ type: "text", cache_control: { type: "ephemeral" },
    text: process.argv[1] + "." + " You answer questions about the river handbook.".repeat(200) }] }, null, Number(process.argv[2]))' "$@" > "$work/prompts/support-agent.json"
}

name="support-agent-$(node -p 'crypto.randomUUID().slice(0, 8)')"
step=$(sed -n 's/^ *run: \(node .*\)/\1/p' "$here/workflow.yml")
check() { (cd "$work" && bash -euo pipefail -c "${step/ support-agent / $name }"); }
expect() {
  local wanted=$1 code=0
  rm -f "$work/comment.md"
  check > "$work/said" 2>&1 || code=$?
  [ "$code" = "$wanted" ] || { echo "exit code $code, not $wanted:" >&2; cat "$work/said" >&2; exit 1; }
}

prompt "Built at 10:41:07" 0
expect 0
grep -q 'registered by no release yet' "$work/comment.md"
{ printf '{"name":"%s","provider":"anthropic","request":' "$name"; cat "$work/prompts/support-agent.json"; printf '}'; } |
  api "$PILOTLIGHT_URL/warm" -d @- > "$work/warm.json"
id=$(node -p 'JSON.parse(fs.readFileSync(process.argv[1])).id' "$work/warm.json")

prompt "Built at 10:41:07" 2
expect 0
grep -q 'keeps its prefix' "$work/comment.md"

prompt "Built at 10:42:09" 0
expect 1
grep -q 'clock_in_prefix' "$work/comment.md"
grep -q '^@@ system\[0\].text, character 13 @@$' "$work/comment.md"
grep -Eq '[$]0[.]0[0-9]+' "$work/comment.md"
cat "$work/comment.md"

PROMPT_CHANGE_MEANT=true expect 0
grep -q 'this is meant' "$work/comment.md"

# What cannot be told is no pass, and says why.
PILOTLIGHT_URL=http://127.0.0.1:9 expect 2
PILOTLIGHT_KEY='' expect 2
echo '{"model":' > "$work/prompts/support-agent.json"
expect 2
[ ! -e "$work/comment.md" ]

api -X DELETE "$PILOTLIGHT_URL/prefixes/$id" > "$work/deleted.json"
