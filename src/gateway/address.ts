/** A version segment of an API's path: `v1`, `v1beta`, `v1alpha`, `v2`. */
const VERSION = /^v\d+(?:(?:alpha|beta)\d*|p\d+beta\d*)?$/

/** Where a provider's API lies. */
export interface Api {
  /** The card's address, as a template. */
  template: string
  /** The address in use, complete: the template's, the lab's or the administrator's. */
  baseUrl: string
  /** Version segment with its slash of an API whose address has none, as `/v1beta`. Empty: its paths have no version. */
  version: string
}

/**
 * The URL that a call through the gateway goes to. `rest`: path and query behind the provider's name.
 *
 * Clients append to a base URL what they each hold for right: `/v1/messages` or `/messages`, and behind a base that ends in `/v1` again
 * `/v1/messages`. So a version at the front is the provider's own path, none stands for the API's default, and of several the last counts.
 * Everything behind it keeps its bytes.
 */
export function upstreamUrl({ template, baseUrl, version }: Api, rest: string): string {
  const query = rest.indexOf('?') < 0 ? '' : rest.slice(rest.indexOf('?'))
  const { versions, path } = split(rest.slice(0, rest.length - query.length))
  const { mount, root } = placesOf(template, baseUrl.replace(/\/+$/, ''))
  const own = versions.at(-1) ?? null
  if (root !== null) return mount + pathOf({ root, version, own, path, isOwners: template.startsWith('{') }) + query
  const isDefault = own === null || own === versionOf(pathOfUrl(template))
  return mount + (isDefault ? path : `/${own}${path}`) + query
}

interface Parts {
  /** Path of the provider's API below its host, as `/openai/v1`. */
  root: string
  version: string
  /** Version that the caller wrote; null: none. */
  own: string | null
  /** Whether the whole address is a variable of the deployment. */
  isOwners: boolean
  /** The caller's path behind it, with its leading slash; empty: none. */
  path: string
}

function pathOf({ root, version, own, path, isOwners }: Parts): string {
  const rootVersion = versionOf(root)
  const head = rootVersion === null ? root : root.slice(0, -rootVersion.length - 1)
  // The provider's whole path, as AzureOpenAI and SDKs of Vertex write it.
  if (own === null && head !== '' && (path === head || path.startsWith(`${head}/`))) return withoutDoubled(path)
  const [, first = '', second = ''] = root.split('/')
  // The whole path again, but for the version in front: Claude Code for Vertex.
  if (own === null && VERSION.test(first) && second !== '' && path.startsWith(`/${second}/`)) return `/${first}${path}`
  if (own === rootVersion && own !== null) return root + path
  // A card's other versions lie beside its folder (Cohere's /v2); below an address of somebody else nothing leaves that folder.
  if (own !== null) return `${isOwners ? head : ''}/${own}${path}`
  if (root !== '') return root + path
  return namesVersion(path) ? path : version + path
}

/** Version at the end of a path; null: it ends otherwise. */
function versionOf(path: string): string | null {
  const last = path.split('/').at(-1) ?? ''
  return VERSION.test(last) ? last : null
}

/** Some paths have their version further behind: `/upload/v1beta/files`. */
function namesVersion(path: string): boolean {
  return VERSION.test(path.split('/')[2] ?? '')
}

/** `/openai/v1/v1/responses` → `/openai/v1/responses`. */
function withoutDoubled(path: string): string {
  return path.replace(/\/(v\d+[a-z0-9]*)\/\1(?=\/|$)/, '/$1')
}

/** Splits the versions off the front of a path, and the empty segments that a base URL with a trailing slash leaves there. */
function split(path: string): { versions: string[]; path: string } {
  const segments = path.split('/')
  const versions: string[] = []
  let at = 0
  for (; at < segments.length; at++) {
    const segment = segments[at] ?? ''
    if (VERSION.test(segment)) versions.push(segment)
    else if (segment !== '') break
  }
  const behind = segments.slice(at).join('/')
  return { versions, path: behind === '' ? '' : `/${behind}` }
}

/**
 * Splits the address in use into what the administrator or the lab set before the provider's own paths, and the path of its API. An
 * address that does not end as the card's does stands for the whole of the card's: `root` is null then.
 */
function placesOf(template: string, baseUrl: string): { mount: string; root: string | null } {
  const used = pathOfUrl(baseUrl)
  const own = template.startsWith('{') ? used : pathOfUrl(template)
  const literal = own.replace(/[.*+?^$()|[\]\\]/g, String.raw`\$&`).replace(/\{\w+\}/g, '[^/]+')
  const root = template.startsWith('{') ? used : (new RegExp(`${literal}$`).exec(used)?.[0] ?? null)
  return { mount: baseUrl.slice(0, baseUrl.length - (root ?? '').length), root }
}

/** Path of a URL or of a template of one, without the trailing slash. */
function pathOfUrl(url: string): string {
  return /^[a-z]+:\/\/[^/]*(\/.*)?$/i.exec(url.replace(/\/+$/, ''))?.[1] ?? ''
}
