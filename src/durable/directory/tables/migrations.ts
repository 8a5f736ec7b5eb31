/** Schema of the Directory. Steps are appended and never edited. */
export const DIRECTORY_STEPS: readonly string[][] = [
  [
    'CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
    'CREATE TABLE account (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, next_at INTEGER)',
  ],
  [
    `CREATE TABLE fact (version INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, at INTEGER NOT NULL,
      request_id TEXT NOT NULL, override TEXT)`,
  ],
  // Keys that seal the bodies of accounts, wrapped. They stand apart from the bodies, so that to forget one erases what it sealed.
  ['CREATE TABLE body_key (account TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID'],
  // Fingerprints of keys that were forgotten on purpose, and accounts whose deletion has begun.
  [
    `CREATE TABLE forgotten_key (account TEXT NOT NULL, print TEXT NOT NULL, at INTEGER NOT NULL,
      PRIMARY KEY (account, print)) WITHOUT ROWID`,
    'CREATE TABLE deletion (account TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID',
  ],
  // What each account was told of the deployment's state; and a copy of its settings, whose number is odd while they are changed.
  [
    'ALTER TABLE account ADD COLUMN told INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE account ADD COLUMN tried INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE account ADD COLUMN revision INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE account ADD COLUMN settings TEXT',
  ],
  // Which daily roll-up and which reconciliation reached each account, and managed caches that nobody has claimed in the one that runs.
  [
    'ALTER TABLE account ADD COLUMN rolled_up INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE account ADD COLUMN roll_up_tried INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE account ADD COLUMN reconciled INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE account ADD COLUMN reconcile_tried INTEGER NOT NULL DEFAULT 0',
    `CREATE TABLE unclaimed_cache (provider TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
      PRIMARY KEY (provider, region, name)) WITHOUT ROWID`,
  ],
]
