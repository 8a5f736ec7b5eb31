#!/usr/bin/env bash
# A deploy hook: registers the prompt of a release under the application's name and waits until it is warm. The previous version stays
# warm until then, and afterwards while real requests come for it. It needs only curl.
#
#   PILOTLIGHT_URL=… PILOTLIGHT_KEY=… bash warm-release.sh NAME PROVIDER BODY.json
#
# BODY.json is the provider's own request body without the volatile turns, the same bytes that the application sends.
#   RELEASE               name of this run, so that a repeated call has no second effect (a new name for each run, also of a rollback)
#   ROLL_OUT_AT           when the traffic moves (2026-11-21T18:00:00Z): the prompt is warm at that second
#   EXPECTED_REQUESTS     number of requests expected then (1)
#   PILOTLIGHT_REQUIRED   1: a prompt that could not be warmed fails the deploy; otherwise only a warning
set -euo pipefail

if [ $# -ne 3 ]; then
  echo 'usage: warm-release.sh NAME PROVIDER BODY.json' >&2
  exit 2
fi
name=$1 provider=$2 body=$3
: "${PILOTLIGHT_URL:?is where Pilotlight answers}" "${PILOTLIGHT_KEY:?is a key of the account}"
[[ $name =~ ^[A-Za-z0-9._-]+$ && $provider =~ ^[a-z0-9-]+$ ]] || { echo 'NAME and PROVIDER: letters, digits, and . _ -' >&2; exit 2; }

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# Prints the status; the body goes to $answer. The key goes through a file descriptor, because other users can see arguments.
call() {
  curl -sS --max-time 90 --retry 3 --retry-connrefused -o "$answer" -w '%{http_code}' \
    -H @<(printf 'Authorization: Bearer %s\n' "$PILOTLIGHT_KEY") -H 'Content-Type: application/json' "$@"
}
text() { grep -o "\"$1\":\"[^\"]*\"" "$answer" | head -n 1 | cut -d '"' -f 4 || true; }

give_up() {
  echo "::warning title=Not warmed::$1"
  [ "${PILOTLIGHT_REQUIRED:-0}" != 1 ] || exit 1
  exit 0
}

release=${RELEASE:-$(date -u +%s)-$$}
status=$({ printf '{"name":"%s","provider":"%s","request":' "$name" "$provider"; cat "$body"; printf '}'; } |
  call "$PILOTLIGHT_URL/warm" -H "Idempotency-Key: release-$name-$release" --data-binary @-) || give_up "$PILOTLIGHT_URL does not answer"
case $status in
  200) echo "$name: $(grep -o '"receipt":{[^}]*' "$answer" | grep -o '"kind":"[a-z]*"' | cut -d '"' -f 4)" ;;
  202) echo "$name: still under way as $(grep -o 'job_[A-Za-z0-9_-]*' "$answer" | head -n 1)" ;;
  *) give_up "$name: $status $(text kind): $(text message)" ;;
esac
id=$(grep -o 'pfx_[A-Za-z0-9_]*' "$answer" | head -n 1)

if [ -n "${ROLL_OUT_AT:-}" ]; then
  status=$(printf '{"at":"%s","expected_requests":%d}' "$ROLL_OUT_AT" "${EXPECTED_REQUESTS:-1}" |
    call "$PILOTLIGHT_URL/prefixes/$id/announce" --data-binary @-)
  [ "$status" = 200 ] || give_up "$name: not announced: $status $(text message)"
  echo "$name: will be warm at $ROLL_OUT_AT"
fi

status=$(call "$PILOTLIGHT_URL/prefixes?name=$name")
[ "$status" != 200 ] || grep -o '"id":"pfx_[^"]*","name":"[^"]*","version":[0-9]*,"superseded":[a-z]*' "$answer" |
  sed 's/"id":"\([^"]*\)".*"version":\([0-9]*\),"superseded":\(.*\)/version \2: \1, superseded: \3/'
