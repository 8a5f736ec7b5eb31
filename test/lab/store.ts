/** Where the lab keeps what must survive a restart: small tables of JSON texts. */
export type LabTable = 'entry' | 'handle' | 'fault' | 'transcript' | 'setting'

export type LabStore = {
  load: (table: LabTable) => [key: string, json: string][]
  put: (table: LabTable, rows: [key: string, json: string][]) => void
  remove: (table: LabTable, keys: string[]) => void
  clear: () => void
}

/** A store for labs that end with their test. */
export function memoryStore(): LabStore {
  const tables = new Map<LabTable, Map<string, string>>()
  const table = (name: LabTable): Map<string, string> => {
    const found = tables.get(name) ?? new Map<string, string>()
    tables.set(name, found)
    return found
  }
  return {
    load: (name) => [...table(name)],
    put: (name, rows) => {
      for (const [key, json] of rows) table(name).set(key, json)
    },
    remove: (name, keys) => {
      for (const key of keys) table(name).delete(key)
    },
    clear: () => tables.clear(),
  }
}
