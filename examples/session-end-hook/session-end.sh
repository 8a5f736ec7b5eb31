#!/usr/bin/env bash
# A hook at the end of an agent's session: tells Pilotlight that nobody returns to its prefix, so that no further keep-alive is paid. It needs
# only curl, never fails, and takes three seconds at most.
#
#   PILOTLIGHT_URL=… PILOTLIGHT_KEY=… PILOTLIGHT_NAME=support-agent bash session-end.sh < EVENT.json
#
# EVENT.json is what the agent says of the end. Claude Code's SessionEnd has a `reason`; at `clear` the same person goes on, so nothing is told.
# PILOTLIGHT_NAME is the name that the session's prefix is registered under. With PILOTLIGHT_PREFIX its id is given instead.
set -uo pipefail

# Some agents leave the input open.
IFS= read -r -t 1 -d '' event || true
[[ $event =~ \"reason\"[[:space:]]*:[[:space:]]*\"clear\" ]] && exit 0
[ -n "${PILOTLIGHT_URL:-}" ] && [ -n "${PILOTLIGHT_KEY:-}" ] || exit 0

# The key goes through a file descriptor, because other users can see arguments.
call() { curl -s --max-time 1 -H @<(printf 'Authorization: Bearer %s\n' "$PILOTLIGHT_KEY") -H 'Content-Type: application/json' "$@"; }

id=${PILOTLIGHT_PREFIX:-}
if [ -z "$id" ] && [[ ${PILOTLIGHT_NAME:-} =~ ^[A-Za-z0-9._-]+$ ]]; then
  # The current version stands first.
  id=$(call "$PILOTLIGHT_URL/prefixes?name=$PILOTLIGHT_NAME&limit=1" | grep -o 'pfx_[0-9]*_[0-9a-f]*' | head -n 1)
fi
[[ $id =~ ^pfx_[0-9]+_[0-9a-f]+$ ]] || exit 0
call -o /dev/null "$PILOTLIGHT_URL/prefixes/$id/signals" -d '{"kind":"end"}'
exit 0
