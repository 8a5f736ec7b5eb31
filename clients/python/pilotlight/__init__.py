"""Client of Pilotlight's HTTP API. It needs the standard library alone.

`Pilotlight` calls the API and raises `PilotlightError`. `Reporter` sends observations in the background and never raises.
`litellm_callback` and `langchain_handler` feed a Reporter.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import weakref
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional, Sequence

__all__ = ["Pilotlight", "PilotlightError", "Reporter", "langchain_handler", "litellm_callback"]

Json = Dict[str, Any]


class PilotlightError(Exception):
    """A refusal, or no answer. `kind` is that of the API's error, or `unreachable`; `status` is 0 without an answer.

    `retryable`: the same call may succeed in a moment.
    """

    def __init__(self, kind: str, message: str, status: int = 0, detail: Optional[Json] = None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.status = status
        self.detail: Json = detail or {}
        self.retryable = False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    # urllib would send the key along to the other host.
    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class Pilotlight:
    """`url` is the deployment, `key` an account key, `timeout` the seconds that one request may wait for an answer.

    A call that is refused with 429 or 503 is sent again, `retries` times at the most, after the time that the answer says.
    """

    def __init__(self, url: str, key: str, timeout: float = 70.0, retries: int = 2) -> None:
        self._url = url.rstrip("/")
        self.__key = key
        self._timeout = timeout
        self._retries = max(0, retries)

    def __repr__(self) -> str:
        return "Pilotlight(…)"

    def warm(self, body: Mapping[str, Any], idempotency_key: Optional[str] = None) -> Json:
        """POST /warm: registers a prefix and warms it now. Without a key of the caller's, each call has a new one."""
        return self._call("/warm", json.dumps(body), idempotency_key=idempotency_key or str(uuid.uuid4()))

    def observe(self, observations: Sequence[Mapping[str, Any]]) -> List[Json]:
        """POST /observations: what real requests used. Returns one entry for each."""
        entries: List[Json] = self._call("/observations", json.dumps(list(observations)))["data"]
        return entries

    def lease(self, prefix: str, body: Optional[Mapping[str, Any]] = None) -> Json:
        """POST /prefixes/{id}/lease: asks at the barrier, or reports `{"lease", "outcome"}`."""
        return self._call(_path(prefix, "lease"), json.dumps(body or {}))

    def signals(self, prefix: str, kind: str, until: Optional[str] = None) -> Json:
        """POST /prefixes/{id}/signals: `end`, or `pending` with an ISO 8601 instant `until`."""
        body = {"kind": kind, **({} if until is None else {"until": until})}
        return self._call(_path(prefix, "signals"), json.dumps(body))

    def _call(
        self, path: str, text: str, timeout: Optional[float] = None, idempotency_key: Optional[str] = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.__key}", "Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        for left in range(self._retries, -1, -1):
            try:
                request = urllib.request.Request(self._url + path, data=text.encode(), headers=headers, method="POST")
                with _opener.open(request, timeout=self._timeout if timeout is None else timeout) as answer:
                    return json.loads(answer.read())
            except urllib.error.HTTPError as refused:
                error = _refusal(refused)
                if left == 0 or not error.retryable:
                    raise error from None
                time.sleep(_wait(refused.headers.get("retry-after"), self._retries - left))
            except Exception as failed:
                # The text of the failure may show the address or the key, so its type alone is told.
                raise PilotlightError("unreachable", type(failed).__name__) from None


_LONGEST_WAIT = 30.0


def _wait(said: Optional[str], tries: int) -> float:
    """Seconds until a call is sent again: what the answer says, else longer each time."""
    try:
        return min(_LONGEST_WAIT, max(0.0, float(said or "")))
    except ValueError:
        return min(_LONGEST_WAIT, 0.5 * 2.0**tries)


def _path(prefix: str, route: str) -> str:
    return f"/prefixes/{urllib.parse.quote(prefix, safe='')}/{route}"


def _refusal(answer: urllib.error.HTTPError) -> PilotlightError:
    try:
        error = json.loads(answer.read())["error"]
        refusal = PilotlightError(error["kind"], error["message"], answer.code, error.get("detail"))
        refusal.retryable = answer.code in _AGAIN and error.get("retryable") is not False
    except Exception:
        refusal = PilotlightError("unreachable", f"status {answer.code}", answer.code)
        refusal.retryable = answer.code in _AGAIN
    return refusal


_AGAIN = (429, 503)


class Reporter:
    """Sends observations in the background, a hundred at once at the most. No method raises.

    At most `limit` observations wait; `dropped` counts those that found no room or were refused, and `last_error` says why the last
    of them were. At the end of the program it sends for at most `flush_seconds`. A process that forks keeps what waits; its child
    begins with nothing.
    """

    def __init__(self, client: Pilotlight, limit: int = 1000, flush_seconds: float = 2.0) -> None:
        self._client = client
        self._limit = max(1, limit)
        self._flush_seconds = flush_seconds
        self._begin()
        _reporters.add(self)

    def _begin(self) -> None:
        self._waiting: queue.Queue[str] = queue.Queue(self._limit)
        self._thread: Optional[threading.Thread] = None
        self._lock = threading.Lock()
        self.sent = 0
        self.dropped = 0
        self.last_error: Optional[str] = None

    def report(self, observation: Mapping[str, Any]) -> None:
        """Puts one observation of `POST /observations` into the queue."""
        try:
            self._waiting.put_nowait(json.dumps(observation))
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="pilotlight", daemon=True)
                    self._thread.start()
        except queue.Full:
            self.drop("the queue is full")
        except Exception as failed:
            self.drop(type(failed).__name__)

    def drop(self, why: str, count: int = 1) -> None:
        """Counts observations that are not sent."""
        with self._lock:
            self.dropped += count
            self.last_error = why

    def flush(self, seconds: Optional[float] = None) -> bool:
        """Waits until all is sent, for `seconds` at the most. Returns whether all was."""
        until = time.monotonic() + (self._flush_seconds if seconds is None else seconds)
        while self._waiting.unfinished_tasks > 0:
            if time.monotonic() >= until:
                return False
            time.sleep(0.01)
        return True

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            try:
                while len(batch) < 100:
                    batch.append(self._waiting.get_nowait())
            except queue.Empty:
                pass
            self._send(batch)
            for _ in batch:
                self._waiting.task_done()

    def _send(self, batch: List[str]) -> None:
        try:
            answers = self._client._call("/observations", f"[{','.join(batch)}]", timeout=10.0)["data"]
        except Exception as failed:
            self.drop(str(failed) if isinstance(failed, PilotlightError) else type(failed).__name__, len(batch))
            return
        refused = [each["error"] for each in answers if "error" in each]
        if refused:
            self.drop(f"{refused[-1].get('kind')}: {refused[-1].get('message')}", len(refused))
        with self._lock:
            self.sent += len(batch) - len(refused)


_reporters: "weakref.WeakSet[Reporter]" = weakref.WeakSet()


def _flush_all() -> None:
    for reporter in list(_reporters):
        reporter.flush()


def _begin_all() -> None:
    # A fork leaves the threads behind, and perhaps a lock that nobody opens. What waits is sent by the parent.
    for reporter in list(_reporters):
        reporter._begin()


atexit.register(_flush_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value


def _instant(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def litellm_callback(reporter: Reporter, prefix_id: Optional[str] = None) -> Any:
    """A callback for `litellm.callbacks`. A call's `metadata={"pilotlight_prefix": id}` decides before `prefix_id`.

    Calls without either are not reported, nor are answers from LiteLLM's own cache.
    """
    try:
        from litellm.integrations.custom_logger import CustomLogger as Base  # type: ignore
    except ImportError:
        Base = object

    class Callback(Base):  # type: ignore
        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            try:
                metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
                prefix = metadata.get("pilotlight_prefix") or prefix_id
                usage = _plain(response_obj.get("usage") if isinstance(response_obj, dict) else response_obj.usage)
                if prefix and usage and not kwargs.get("cache_hit"):
                    reporter.report({"prefix_id": prefix, "usage": usage, "started_at": _instant(start_time)})
            except Exception as failed:
                reporter.drop(f"LiteLLM: {type(failed).__name__}")

        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            self.log_success_event(kwargs, response_obj, start_time, end_time)

    return Callback()


def langchain_handler(reporter: Reporter, prefix_id: str) -> Any:
    """A handler for `config={"callbacks": [handler]}`. It reports each message's `usage_metadata`."""
    try:
        from langchain_core.callbacks import BaseCallbackHandler as Base  # type: ignore
    except ImportError:
        Base = object
    started: Dict[Any, datetime] = {}

    class Handler(Base):  # type: ignore
        def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: Any = None, **_: Any) -> None:
            try:
                if len(started) < 10_000:
                    started[run_id] = datetime.now(timezone.utc)
            except Exception as failed:
                reporter.drop(f"LangChain: {type(failed).__name__}")

        def on_llm_end(self, response: Any, *, run_id: Any = None, **_: Any) -> None:
            try:
                at = started.pop(run_id, None)
                usage = _plain(response.generations[0][0].message.usage_metadata)
                if at is not None and usage:
                    reporter.report({"prefix_id": prefix_id, "usage": usage, "started_at": _instant(at)})
            except Exception as failed:
                reporter.drop(f"LangChain: {type(failed).__name__}")

        def on_llm_error(self, error: Any, *, run_id: Any = None, **_: Any) -> None:
            started.pop(run_id, None)

    return Handler()
