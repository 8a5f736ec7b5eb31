/**
 * The rooms of `src`, described once. `rules.ts` holds imports to their order, and `scripts/rooms-doc.ts` prints them into
 * docs/architecture.md and CONTRIBUTING.md; a test compares both.
 */

/** One folder, or one file, of a building. */
export interface Room {
  name: string
  /** What is in it, for a reader who looks for something. Empty for a file that its name explains. */
  about: string
}

/** A folder whose rooms stand in an order. */
export interface Building {
  /** Path from the project's folder. */
  path: string
  /**
   * Innermost first. A room may import the rooms of the steps before its own, never one of its own step or of a later one.
   */
  steps: Room[][]
}

const room = (name: string, about = ''): Room => ({ name, about })

export const buildings: Building[] = [
  {
    path: 'src',
    steps: [
      [
        room('contract', 'what crosses the HTTP boundary: requests and answers (zod), and the table of failures'),
        room('usage', 'where usage and model stand in a real call: its bytes, its address'),
      ],
      [
        room('core', 'pure decisions: no clock, no chance, no network, no name of a provider'),
        room('client', 'typed client for programs of users; it knows `contract` and `usage` alone'),
      ],
      [room('providers', 'one card of facts for each provider, one folder for each wire format')],
      [room('runtime', 'clock, environment, ids, sealing of secrets, compression')],
      [
        room(
          'calls',
          'how a request leaves: probes, managed caches, tools, webhooks; the one place that hands out `fetch`',
        ),
      ],
      [room('registration', 'from the body of a request to what is stored')],
      [
        room('durable', 'the Durable Objects and their tables'),
        room('diagnosis', 'why a request missed, from what is told of it'),
        room('gateway', "the proxy at `/via`: callers' own requests, on to their providers"),
      ],
      [room('erasure', 'deletes accounts, and the prompts of accounts')],
      [
        room('queue', 'consumers of the queues: probes, their dead letters, observations'),
        room('cron', 'the sweep of every minute'),
        room('dashboard', 'the page at `/`'),
      ],
      [room('http', 'routes, authentication, JSON answers')],
      [
        room('worker', 'entry of the Worker: fetch, scheduled, queue'),
        room('cli', 'the program `pilotlight` on Node: replays logs, lints files'),
      ],
    ],
  },
  {
    path: 'src/core',
    steps: [
      [
        room('prompt', 'text of JSON bodies: spans, edits, canonical form, fingerprint, token estimate, templates'),
        room('time', 'units of time, slots, back-off, weekly windows, learned latency'),
      ],
      [
        room('model', 'what is known of a model: facts, usage, prices, overrides, model pools'),
        room('demand', 'how requests arrive: idle gaps, request rate, forecast of the next request'),
      ],
      [
        room('lint', 'what in a prompt makes requests miss the cache'),
        room('candidates', 'beginnings that recur in calls, and whether they are worth registering'),
        room('conversation', 'a conversation: window, turns, breakpoints, life cycle'),
        room(
          'managed-cache',
          'caches that a provider manages by a handle (Gemini style): state, events, plan, ownership',
        ),
        room('prefix', 'the row of one prefix: state, receipts, history, signals, announcements, alerts'),
      ],
      [
        room('diagnosis', 'why a request missed: verdicts, and how the evidence is judged'),
        room('cache', 'from evidence to belief: what a read proves, retention, `required`'),
        room('fan-out', 'many callers of one prefix: crews and barriers'),
      ],
      [room('ledger', 'what keep-alives cost and saved, the stop-loss, the holdout')],
      [room('planning', 'when to send the next probe, and when to stop')],
      [
        room('events', 'something happened: an answer, a failure, an arrival; the new state and its rows'),
        room('simulation', 'replays of arrival streams, and the oracle'),
      ],
    ],
  },
  {
    path: 'src/providers',
    steps: [
      [room('compared', 'what a provider compares of a body beside its blocks')],
      [
        room('wire', 'what a card may say of its wire format, as flat values'),
        room('neutral-settings', 'settings of the neutral form, as a wire format renders them'),
      ],
      [room('dialect', 'what a wire format can do, as a type')],
      [room('dialects', 'one folder for each family of wire formats; the two of OpenAI share one')],
      [room('managed-cache', 'requests about managed caches, one file for each wire format')],
      [room('card', 'what is stated of a provider, as a type')],
      [
        room('cards', 'one file of sourced facts for each provider'),
        room('transport', 'address, sending, rate-limit headers, service accounts'),
        room('added', 'the card of a provider that an administrator adds'),
      ],
      [room('registry', 'the list of cards, the list of dialects')],
      [
        room('conversation', 'turns of a bot in the format of a provider'),
        room('prefix', 'prepared bodies: blocks, markers, common and nested prefixes, identity, the neutral form'),
        room('lint', 'the parts of a body that lint looks at'),
        room('tokens', 'how many tokens a request can have at most'),
        room('meant', 'what a misspelt provider or model probably means'),
      ],
      [room('diagnosis', 'two bodies, held against each other as their provider would')],
    ],
  },
  {
    path: 'src/durable',
    steps: [
      [
        room('sql', 'typed access to the SQLite of an object'),
        room('row-cache', 'rows in memory, as copies of the table'),
        room('waiters', 'promises of callers who wait for an event'),
        room('group-commit', 'one write in a time for many callers'),
        room('egress', 'the object that sends from another region'),
        room('body-key', 'the key that seals what an object stores of prompts'),
      ],
      [room('migrate', 'schema steps')],
      [
        room('directory', 'which accounts exist, when each is due, overrides, the kill switch; work for every account'),
        room('live', 'live objects: a base class for objects that wait for events without cost'),
        room('registry', 'one for each account'),
      ],
      [room('bot', 'a conversation that calls its model itself')],
    ],
  },
  {
    path: 'src/durable/registry',
    steps: [
      [
        room('records', 'plain data that crosses between objects; rooms outside of `durable` may import nothing else'),
        room('delegated', 'gives one object the methods of several classes'),
      ],
      [room('tables', 'typed statements; they decide nothing'), room('queue', 'messages to the probe queue')],
      [room('ledger', 'day totals, ledger pages, calls of bots'), room('alarm', 'when the object wakes next')],
      [
        room('probes', 'scheduler, sweep, leases, settlement, provider guards'),
        room('managed-caches', 'scheduler, settlement, deletions, reconciliation of managed caches'),
      ],
      [
        room('prefixes', 'registration, versions, history, prefixes of bots'),
        room('facts-cache', 'facts and addresses of models, remembered for the object'),
      ],
      [
        room('warming', 'single flight, barriers, crews'),
        room('learning', 'what calls through the gateway teach: candidates, registration by use'),
        room('account', 'settings, keys, credentials, webhook and its outbox'),
      ],
      [room('daily-maintenance', 'roll-ups and expiry')],
      [room('registry', 'the object: constructor, alarm, sweep')],
    ],
  },
  {
    path: 'src/http',
    steps: [
      [
        room('server', 'authentication, reading of bodies, errors, idempotency, cursors, the OpenAPI document'),
        room('present', 'from the inside to JSON'),
      ],
      [
        room('bots'),
        room('caches'),
        room('candidates', 'what recurs in calls through the gateway'),
        room('deployment', 'health, metrics, kill switch'),
        room('gateways', 'model pools, under their public name'),
        room('ledger'),
        room('stats', 'hit rates'),
        room('lifetimes', 'how long entries stay readable, by model and size'),
        room('misses', 'why calls through the gateway missed, and what that cost'),
        room('diagnosis', '`POST /diagnose`'),
        room('observations'),
        room('reports', 'what traces and logs of other programs tell of calls'),
        room('providers'),
      ],
      [room('accounts'), room('warm', '`POST /warm`: one prefix, a model pool, a dry run, jobs')],
      [room('prefixes'), room('preload', '`POST /preload`: crews')],
      [room('openapi', 'operations of all resources')],
      [room('app', 'the router'), room('via', "callers' own requests to providers, past the router")],
      [room('serve', 'which of the two answers')],
    ],
  },
  {
    path: 'src/cli',
    steps: [
      [room('shell', 'arguments, files, terminal')],
      [room('log', 'formats of logs'), room('lint'), room('why', 'why a request missed')],
      [room('simulate'), room('remote', 'how a deployment is found and asked; tables and words'), room('completion')],
      [room('commands', 'the commands that ask a deployment')],
      [room('program', 'their options and their help')],
      [room('main', 'the list of commands')],
      [room('run', 'entry of the program')],
    ],
  },
]
