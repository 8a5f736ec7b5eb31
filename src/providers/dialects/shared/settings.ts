import { canonical } from '../../../core/prompt/json-canonical.ts'
import type { CanonicalRules } from '../../../core/prompt/json-canonical.ts'
import type { JsonMember, JsonNode } from '../../../core/prompt/json-text.ts'
import type { Setting } from '../../compared.ts'
import type { Body } from './body.ts'

/** A member that no cache compares, inside of one that is compared. */
export const ANY = 'any'

/** Values that say what an absent member says: canonical texts of a whole value, or the same for the members of an object. */
export type Defaults = readonly string[] | typeof ANY | { readonly [name: string]: Defaults }

export interface SettingRules {
  /** Members that no cache compares, and those that have a place of their own in the stream. */
  without: ReadonlySet<string>
  defaults: Readonly<Record<string, Defaults>>
  /** The section in front of which a setting is rendered, by its name. Absent: in front of everything, or not known. */
  before?: Readonly<Record<string, number>>
  /** Members inside of settings that are no part of the prompt. */
  drop?: ReadonlySet<JsonMember>
}

/**
 * Members of a body that a provider compares beside tools, system prompt and turns, in the order of their names. A null, and a value that
 * says the default, is the same as an absent member. Unknown members count: they may be rendered into the prompt.
 */
export function settingsOf({ text, root }: Body, { without, defaults, before = {}, drop }: SettingRules): Setting[] {
  return root.members
    .flatMap((entry): Setting[] => {
      const { key: name, value } = entry
      if (without.has(name) || drop?.has(entry) === true) return []
      const said = saidBy(text, value, Object.hasOwn(defaults, name) ? defaults[name] : undefined, drop)
      return said === null ? [] : [{ name, text: said, before: before[name] ?? 0 }]
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** What a value says beside the defaults; null: nothing. */
function saidBy(
  text: string,
  node: JsonNode,
  defaults: Defaults | undefined,
  drop: ReadonlySet<JsonMember> = new Set(),
): string | null {
  if (node.type === 'null' || defaults === ANY) return null
  if (defaults === undefined || isTexts(defaults) || node.type !== 'object') {
    const whole = canonical(text, node, { drop })
    return defaults !== undefined && isTexts(defaults) && defaults.includes(whole) ? null : whole
  }
  const unsaid = node.members.filter(
    (entry) =>
      drop.has(entry) ||
      saidBy(text, entry.value, Object.hasOwn(defaults, entry.key) ? defaults[entry.key] : undefined, drop) === null,
  )
  if (unsaid.length === node.members.length) return null
  const rules: CanonicalRules = { drop: new Set([...drop, ...unsaid]) }
  return canonical(text, node, rules)
}

function isTexts(defaults: Defaults): defaults is readonly string[] {
  return Array.isArray(defaults)
}

/** The settings that belong to a prefix which ends in a section, as named streams. */
export function settingsUpTo(settings: readonly Setting[], section: number): [string, string][] {
  return settings.flatMap(({ name, text, before }): [string, string][] => (before <= section ? [[name, text]] : []))
}
