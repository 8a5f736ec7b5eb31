/**
 * Schema of a Registry. The schedule writes few rows, because written rows are the main platform cost of a probe. `state` has one
 * row for each prefix and is the truth. `slot` is an index over `state.next_at` in slots of two seconds; its hints are never later
 * than the truth. `claim` holds the entries of a message and, once begun, their leases.
 */
export const REGISTRY_STEPS: readonly string[][] = [
  [
    'CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
    `CREATE TABLE prefix (k INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL UNIQUE,
      created_at INTEGER NOT NULL, record TEXT NOT NULL)`,
    `CREATE TABLE state (k INTEGER PRIMARY KEY, next_at INTEGER, state TEXT NOT NULL, tail TEXT NOT NULL DEFAULT '',
      tail_rows INTEGER NOT NULL DEFAULT 0)`,
    'CREATE TABLE name (name TEXT PRIMARY KEY, k INTEGER NOT NULL, version INTEGER NOT NULL)',
    'CREATE TABLE body (k INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (k, part))',
    'CREATE TABLE slot (at INTEGER PRIMARY KEY, ks TEXT NOT NULL)',
    `CREATE TABLE claim (seq INTEGER PRIMARY KEY AUTOINCREMENT, due_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
      entries TEXT NOT NULL, leases TEXT, reserved_nanos INTEGER NOT NULL DEFAULT 0)`,
    `CREATE TABLE history (k INTEGER NOT NULL, seq INTEGER NOT NULL, last_at INTEGER NOT NULL, rows BLOB NOT NULL,
      rolled_up INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (k, seq)) WITHOUT ROWID`,
    'CREATE INDEX history_age ON history (rolled_up, last_at)',
    'CREATE TABLE job (id TEXT PRIMARY KEY, k INTEGER NOT NULL, created_at INTEGER NOT NULL, job TEXT NOT NULL)',
    'CREATE TABLE ledger_day (day TEXT PRIMARY KEY, totals TEXT NOT NULL)',
    'CREATE TABLE key (id TEXT PRIMARY KEY, hash TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER)',
    `CREATE TABLE idempotency (id TEXT PRIMARY KEY, at INTEGER NOT NULL, request_hash TEXT NOT NULL, status INTEGER, body TEXT)`,
    'CREATE INDEX idempotency_at ON idempotency (at)',
  ],
  [
    // A deleted credential keeps its row without the secret: its generation must not be used again.
    `CREATE TABLE credential (name TEXT PRIMARY KEY, provider TEXT NOT NULL, host TEXT NOT NULL, generation INTEGER NOT NULL,
      created_at INTEGER NOT NULL, sealed TEXT)`,
  ],
  // Managed caches: few rows, seldom written, so an index replaces the slots. `wake_at` is the next due time, or the end of a
  // claim or lease. `handle_drop` holds the handles to delete at a provider.
  [
    `CREATE TABLE handle (k INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, wake_at INTEGER,
      reserved_nanos INTEGER NOT NULL DEFAULT 0, record TEXT NOT NULL, state TEXT NOT NULL, claim TEXT)`,
    'CREATE INDEX handle_wake ON handle (wake_at)',
    'CREATE TABLE handle_body (k INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (k, part))',
    'CREATE TABLE handle_row (seq INTEGER PRIMARY KEY AUTOINCREMENT, k INTEGER NOT NULL, at INTEGER NOT NULL, row TEXT NOT NULL)',
    'CREATE INDEX handle_row_of ON handle_row (k, seq)',
    `CREATE TABLE handle_drop (k INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, wake_at INTEGER NOT NULL,
      record TEXT NOT NULL)`,
  ],
  // Cost today of deleted prefixes: a budget belongs to the content, and a new registration must not renew it.
  ['CREATE TABLE departed (fingerprint TEXT PRIMARY KEY, day TEXT NOT NULL, spent_nanos INTEGER NOT NULL)'],
  // Bots of the account, to erase them with it.
  ['CREATE TABLE bot (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL) WITHOUT ROWID'],
  // Costs of idle gaps with and without keep-alives, by UTC day: the sums behind the measured saving.
  ['CREATE TABLE trial_day (day TEXT PRIMARY KEY, arms TEXT NOT NULL) WITHOUT ROWID'],
  // Crews. `wake_at`: time of the next check; null: the crew is over.
  [
    'CREATE TABLE crew (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, wake_at INTEGER, crew TEXT NOT NULL)',
    'CREATE INDEX crew_wake ON crew (wake_at)',
  ],
  // Bots' calls: reservations while `expires_at` is set, entries of the ledger afterwards.
  [
    `CREATE TABLE bot_call (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, bot TEXT NOT NULL,
      at INTEGER NOT NULL, reserved_nanos INTEGER, expires_at INTEGER, row TEXT)`,
    'CREATE INDEX bot_call_open ON bot_call (expires_at) WHERE expires_at IS NOT NULL',
  ],
  // Model pools.
  ['CREATE TABLE gateway (name TEXT PRIMARY KEY, gateway TEXT NOT NULL) WITHOUT ROWID'],
  // Barriers before fan-outs of real requests.
  ['CREATE TABLE barrier (k INTEGER PRIMARY KEY, barrier TEXT NOT NULL)'],
  // Messages to the account's webhook. `wake_at`: time of the next delivery; null: given up.
  [
    `CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
      wake_at INTEGER, count INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,
      leased_until INTEGER, stops TEXT NOT NULL)`,
  ],
  // Hashes of what a prefix holds, to find it from the body of a request without reading others. Rows of older versions have none until
  // they are made of their bodies.
  ['CREATE TABLE lookup (hash TEXT NOT NULL, k INTEGER NOT NULL, PRIMARY KEY (hash, k)) WITHOUT ROWID'],
  // Credentials of MCP servers that a body holds placeholders for, sealed.
  ['CREATE TABLE body_credential (k INTEGER PRIMARY KEY, sealed TEXT NOT NULL)'],
  // Prefixes whose drift is shown, to count and to list them without reading all states.
  ['CREATE TABLE drifted (k INTEGER PRIMARY KEY)'],
  // Background warms through a pool, with the models that follow if one fails; and which prefixes were warmed through which pool.
  [
    'CREATE TABLE fallback (job TEXT PRIMARY KEY, wake_at INTEGER NOT NULL, links TEXT NOT NULL) WITHOUT ROWID',
    'CREATE TABLE gateway_prefix (gateway TEXT NOT NULL, k INTEGER NOT NULL, model TEXT NOT NULL, PRIMARY KEY (gateway, k)) WITHOUT ROWID',
    'CREATE INDEX gateway_prefix_of ON gateway_prefix (k)',
  ],
  // Region or location of calls with a credential.
  ['ALTER TABLE credential ADD COLUMN region TEXT'],
  // How models keep entries, which stood in one setting before: a row is written when its model taught something.
  [
    `CREATE TABLE lifetime (provider TEXT NOT NULL, model TEXT NOT NULL, retention TEXT NOT NULL, at INTEGER NOT NULL,
      known TEXT NOT NULL, PRIMARY KEY (provider, model, retention)) WITHOUT ROWID`,
  ],
  // Rows that are not sealed: an older version writes such rows, after a rollback too. Sealed rows are in none of these indexes.
  [
    "CREATE INDEX body_in_clear ON body (k) WHERE part = 0 AND substr(bytes, 1, 1) = x'1f'",
    "CREATE INDEX handle_body_in_clear ON handle_body (k) WHERE part = 0 AND substr(bytes, 1, 1) = x'1f'",
    `CREATE INDEX state_in_clear ON state (k) WHERE instr(state, '"first":{"path":') > 0`,
  ],
  // Former and present names of handles, by which callers name managed caches.
  [
    "CREATE INDEX handle_row_name ON handle_row (json_extract(row, '$.handle'), seq) WHERE json_extract(row, '$.handle') IS NOT NULL",
    "CREATE INDEX handle_name ON handle (json_extract(state, '$.live.name')) WHERE json_extract(state, '$.live.name') IS NOT NULL",
  ],
  // Managed caches that the planner keeps prefixes in, to find them without reading all.
  ["CREATE INDEX handle_kept ON handle (k) WHERE json_extract(record, '$.prefixes') IS NOT NULL"],
  // What a key may do: `read`; null: everything.
  ['ALTER TABLE key ADD COLUMN access TEXT'],
  // Cost today of deleted contents, of more than one day around midnight; and the storage of handles that are being deleted.
  [
    'ALTER TABLE departed RENAME TO departed_before',
    `CREATE TABLE departed (fingerprint TEXT NOT NULL, day TEXT NOT NULL, spent_nanos INTEGER NOT NULL,
      PRIMARY KEY (fingerprint, day)) WITHOUT ROWID`,
    'INSERT INTO departed SELECT fingerprint, day, spent_nanos FROM departed_before',
    'DROP TABLE departed_before',
    'ALTER TABLE handle_drop ADD COLUMN reserved_nanos INTEGER NOT NULL DEFAULT 0',
    "CREATE INDEX handle_drop_of ON handle_drop (json_extract(record, '$.fingerprint'))",
  ],
  // Numbers of the observation messages that were booked, by minute.
  ['CREATE TABLE seen_message (minute INTEGER PRIMARY KEY, ids TEXT NOT NULL)'],
  // What recurs in calls through the gateway and is not registered: one row, so that a batch is one write.
  ['CREATE TABLE candidate (one INTEGER PRIMARY KEY, known TEXT NOT NULL, refused TEXT NOT NULL)'],
  // What lists filter by; and prefixes whose stop somebody should know of.
  [
    "CREATE INDEX prefix_name ON prefix (json_extract(record, '$.name')) WHERE json_extract(record, '$.name') IS NOT NULL",
    "CREATE INDEX prefix_provider ON prefix (json_extract(record, '$.provider'))",
    'CREATE TABLE needs_somebody (k INTEGER PRIMARY KEY)',
    `INSERT INTO needs_somebody SELECT k FROM state WHERE json_extract(state, '$.stopped.reason') IN ('lapsed',
      'surprise_write', 'uncacheable', 'unverifiable', 'price_unknown', 'retention_unknown', 'losing_money',
      'budget_exhausted', 'provider_refused', 'credential_replaced', 'address_changed', 'quota_spent', 'internal_error')`,
  ],
  // Which prefix the calls of an agent used last, and who waits for it: hashes of names.
  ['CREATE TABLE agent (id TEXT PRIMARY KEY, prefix TEXT, parent TEXT, at INTEGER NOT NULL) WITHOUT ROWID'],
  // What real requests read, by the hour; by the day where it is old.
  [
    `CREATE TABLE stat (at INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
      requests INTEGER NOT NULL, hits INTEGER NOT NULL, misses INTEGER NOT NULL, unknown INTEGER NOT NULL, counted INTEGER NOT NULL,
      input_tokens INTEGER NOT NULL, read_tokens INTEGER NOT NULL, written_tokens INTEGER NOT NULL,
      PRIMARY KEY (at, name, version, provider, model)) WITHOUT ROWID`,
  ],
  // The last calls of conversations through the gateway, as hashes and counts; and misses by UTC day, verdict and label.
  [
    'CREATE TABLE passed_call (k INTEGER PRIMARY KEY AUTOINCREMENT, keys TEXT NOT NULL, at INTEGER NOT NULL, calls TEXT NOT NULL)',
    `CREATE TABLE miss (day TEXT NOT NULL, verdict TEXT NOT NULL, name TEXT NOT NULL, totals TEXT NOT NULL,
      PRIMARY KEY (day, verdict, name)) WITHOUT ROWID`,
  ],
  // Prefixes with an alarm; numbers of alarms by kind; and of what kind a message to the webhook is.
  [
    'CREATE TABLE alarmed (k INTEGER PRIMARY KEY)',
    'CREATE TABLE alarm_count (kind TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID',
    "ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'stopped'",
  ],
  // Hashes and lengths of prefixes whose bodies were erased.
  ['CREATE TABLE prefix_sketch (k INTEGER PRIMARY KEY, salt TEXT NOT NULL, sketch TEXT NOT NULL)'],
  // Calls that traces and logs told of, as hashes.
  ['CREATE TABLE told_call (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID'],
]
