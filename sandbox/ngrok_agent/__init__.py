"""A stand-in for the ngrok v3 agent: an executable that really forwards HTTP, on this machine only.

It keeps the agent's contract as pyngrok 9.1 and ngrok's documentation show it: command line,
logfmt lines, local API in both shapes, edge errors, exit codes. It proves how *we* handle an
agent, not how ngrok's service behaves. Where it differs:

- an endpoint's public URL is `http://127.0.0.1:PORT`, a port of its own; when the endpoint is
  gone the port refuses connections (ngrok's edge answers ERR_NGROK_3200);
- a reserved domain asked for by `url` gets a port that stays the same from run to run.

Guesses, since nobody outside ngrok could look: `/api/status` while reconnecting, the HTTP status
of the quota and interstitial pages, the order of lines on a refusal, the status of a refused POST.

Faults, from the environment (`settings`), from a sandbox or by `POST /standin/faults`
on the local API, each `{"what": …, "requests": N, …}`, N times (1 if not said, -1 always):

- at the start: `agent_hang`, `agent_silent_exit`, `agent_slow` (seconds), `agent_offline`,
  `agent_web_only`, `agent_refuse` (code; those about addresses refuse the endpoint instead);
- at once: `agent_crash`, `thrown_out` (code), `new_address`, `endpoint_gone`, `drop` (seconds),
  `noise` (lines), `grumble` (code), `recover` (disarms all);
- at the next requests: `quota_page` (code), `interstitial`, `free_plan` (browsers only), `cut`
  (after_bytes), `rate` (bytes_per_second), `connect_delay` (seconds).
"""
